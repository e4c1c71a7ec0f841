//! A body that is read once, and what of it is kept for another attempt.

use std::error::Error;
use std::pin::Pin;
use std::sync::Weak;
use std::task::{Context, Poll, Waker, ready};
use std::{fmt, io, iter};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use hyper::body::{Body as _, Frame};
use tokio::time::Instant;

use crate::headers::allowed_trailers;

/// A body, and which attempt has how much of it.
pub(super) struct Slot {
    pub(super) body: Body,
    /// Whether it is handed over in pieces that tell when they were sent.
    pub(super) in_pieces: bool,
    /// What was read so far; `None` when that is too much, or not wanted.
    pub(super) memory: Option<BytesMut>,
    /// What was read, and not handed over.
    pub(super) rest: Bytes,
    /// The attempt that has it.
    pub(super) turn: u32,
    pub(super) held: Weak<()>,
    /// How many bytes that has had.
    pub(super) had: usize,
    /// Whether there will be no other.
    pub(super) last: bool,
    pub(super) read: bool,
    /// Whoever sends it and waits for more of it.
    pub(super) awaited: Option<Waker>,
    pub(super) ended: bool,
    pub(super) moved: Instant,
    pub(super) failure: Option<Failure>,
}

/// Why the body of a request did not arrive whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The client broke it off, or it is not what its head announced.
    Broken,
    /// The caller may say nothing more.
    Over,
}

impl Slot {
    pub(super) fn new(body: Body, over_http2: bool) -> Self {
        Self {
            body,
            in_pieces: over_http2,
            memory: over_http2.then(BytesMut::new),
            rest: Bytes::new(),
            turn: 0,
            held: Weak::new(),
            had: 0,
            last: false,
            read: false,
            awaited: None,
            ended: false,
            moved: Instant::now(),
            failure: None,
        }
    }

    /// The next of it for the attempt of this turn, after what of the memory it has not had.
    pub(super) fn next(
        &mut self,
        turn: u32,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if turn != self.turn {
            let gone = io::Error::from(io::ErrorKind::ConnectionAborted);
            return Poll::Ready(Some(Err(axum::Error::new(gone))));
        }
        if let Some(piece) = self.piece() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.awaited = frame.is_pending().then(|| cx.waker().clone());
        let frame = ready!(frame);
        self.moved = Instant::now();
        self.ended = frame.is_none() || self.body.is_end_stream();
        if let Some(Err(error)) = &frame {
            self.failure = Some(Failure::of(error));
        }
        let Some(Ok(frame)) = frame else {
            return Poll::Ready(frame);
        };
        self.remember(frame.data_ref());
        let frame = frame.into_data().map(|data| {
            self.rest = data;
            Frame::data(self.piece().unwrap_or_default())
        });
        Poll::Ready(Some(Ok(frame.unwrap_or_else(honest))))
    }

    fn remember(&mut self, data: Option<&Bytes>) {
        self.read = true;
        let room = REMEMBERED - self.remembered().len();
        let data = data.filter(|data| data.len() <= room && !self.last);
        match (&mut self.memory, data) {
            (Some(memory), Some(data)) => memory.extend_from_slice(data),
            _ => self.memory = None,
        }
    }

    /// The next of what is here: of what was read last, or of the memory what this attempt has not had.
    fn piece(&mut self) -> Option<Bytes> {
        let most = if self.in_pieces { PIECE } else { usize::MAX };
        let piece = match self.rest.is_empty() {
            true => Bytes::copy_from_slice(self.remembered().get(self.had..)?.chunks(most).next()?),
            false => self.rest.split_to(self.rest.len().min(most)),
        };
        self.had += piece.len();
        self.moved = Instant::now();
        if self.last && self.remembered().len() <= self.had {
            self.memory = None;
        }
        Some(piece)
    }

    /// How much this attempt can have without reading on. What was read last is remembered as well, or nothing is.
    pub(super) fn here(&self) -> usize {
        self.remembered()
            .len()
            .saturating_sub(self.had)
            .max(self.rest.len())
    }

    pub(super) fn remembered(&self) -> &[u8] {
        self.memory.as_deref().unwrap_or_default()
    }
}

impl Failure {
    fn of(error: &axum::Error) -> Self {
        let first: Option<&(dyn Error + 'static)> = Some(error);
        let mut causes = iter::successors(first, |error| (*error).source());
        match causes.any(|error| error.is::<TokenOver>()) {
            true => Self::Over,
            false => Self::Broken,
        }
    }
}

/// The caller's token has ended, or was taken back.
#[derive(Debug)]
pub(crate) struct TokenOver;

impl fmt::Display for TokenOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the caller's token is good no longer")
    }
}

impl Error for TokenOver {}

/// Trailers are fields like others.
pub(crate) fn honest(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(trailers) => Frame::trailers(allowed_trailers(trailers)),
        Err(frame) => frame,
    }
}

/// As long as a frame of HTTP/2.
pub(super) const PIECE: usize = 16 * 1024;
/// More is not kept for another attempt.
pub(super) const REMEMBERED: usize = 64 * 1024;
