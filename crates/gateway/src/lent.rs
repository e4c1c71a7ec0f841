//! The body of a request, sent by one attempt after the other; stripped of trailers that could pass for headers.
//!
//! Spec: RFC 9110 §6.5 (trailers), §9.2.2 (what may be sent again)

mod sending;

use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::{fmt, io, iter};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use hyper::body::{Body as _, Frame, SizeHint};
use tokio::time::Instant;

use crate::headers::allowed_trailers;
pub(crate) use sending::{Sending, moves_until};

/// The body of a request, lent to an attempt to send it. As long as nobody has read more of it than is remembered, it can be lent again.
pub(crate) struct Lent {
    slot: Option<Arc<Mutex<Slot>>>,
    /// Which attempt it is lent to; an earlier one gets nothing more of it.
    turn: u32,
    /// What this attempt sends is under way as long as somebody has this: the attempt, or what was handed over of it.
    flight: Arc<()>,
}

struct Slot {
    body: Body,
    /// Whether it is handed over in pieces that tell when they were sent.
    in_pieces: bool,
    /// What was read so far; `None` when that is too much, or not wanted.
    memory: Option<BytesMut>,
    /// What was read, and not handed over.
    rest: Bytes,
    /// The attempt that has it.
    turn: u32,
    flight: Weak<()>,
    /// How many bytes that has had.
    had: usize,
    /// Whether there will be no other.
    last: bool,
    read: bool,
    /// Whoever sends it and waits for more of it.
    awaited: Option<Waker>,
    ended: bool,
    moved: Instant,
    failure: Option<Failure>,
}

/// Why the body of a request did not arrive whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The client broke it off, or it is not what its head announced.
    Broken,
    /// The caller may say nothing more.
    Over,
}

impl Lent {
    /// Over HTTP/2 it may have to be sent again after some of it was, and more of it is taken than can be sent.
    pub(crate) fn new(body: Body, over_http2: bool) -> Self {
        let ended = body.is_end_stream();
        let slot = || Slot {
            body,
            in_pieces: over_http2,
            memory: over_http2.then(BytesMut::new),
            rest: Bytes::new(),
            turn: 0,
            flight: Weak::new(),
            had: 0,
            last: false,
            read: false,
            awaited: None,
            ended: false,
            moved: Instant::now(),
            failure: None,
        };
        Self {
            slot: (!ended).then(|| Arc::new(Mutex::new(slot()))),
            turn: 0,
            flight: Arc::default(),
        }
    }

    /// As the body of the next attempt.
    pub(crate) fn again(&self) -> Body {
        let flight = Arc::default();
        let turn = self.with(|slot| {
            slot.turn += 1;
            slot.flight = Arc::downgrade(&flight);
            (slot.had, slot.rest, slot.awaited) = (0, Bytes::new(), None);
            slot.turn
        });
        match turn {
            Some(turn) => Body::new(Self {
                slot: self.slot.clone(),
                turn,
                flight,
            }),
            None => Body::empty(),
        }
    }

    /// Whether another attempt would send the same.
    pub(crate) fn is_whole(&self) -> bool {
        self.with(|slot| slot.failure.is_none() && (!slot.read || slot.memory.is_some()))
            .unwrap_or(true)
    }

    /// There will be no other attempt; the one that has it gets the rest.
    pub(crate) fn forget(&self) {
        self.with(|slot| {
            slot.last = true;
            if slot.remembered().len() <= slot.had {
                slot.memory = None;
            }
        });
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.slot.is_none()
    }

    /// When it last moved, and whether all of it was sent; `None` where there is nothing in it.
    pub(crate) fn progress(&self) -> Option<(Instant, bool)> {
        self.with(|slot| (slot.moved, slot.ended))
    }

    /// Whether all of it was sent.
    pub(crate) fn is_sent(&self) -> bool {
        self.progress().is_none_or(|(_, ended)| ended)
    }

    /// How the attempt that has it now goes on, to be asked without keeping it.
    pub(crate) fn sending(&self) -> Sending {
        Sending {
            slot: self.slot.as_ref().map(Arc::downgrade),
            turn: self.with(|slot| slot.turn).unwrap_or_default(),
            flight: self.with(|slot| slot.flight.clone()).unwrap_or_default(),
        }
    }

    /// Why the rest of it will never come.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.with(|slot| slot.failure).flatten()
    }

    /// Whether somebody waits for the rest of it.
    pub(crate) fn is_awaited(&self) -> bool {
        self.with(|slot| slot.awaited.is_some() && !slot.ended)
            .unwrap_or(false)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        let slot = self.slot.as_ref()?;
        Some(look(&mut slot.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Slot {
    /// The next of it for the attempt of this turn, after what of the memory it has not had.
    fn next(&mut self, turn: u32, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
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
    fn is_here(&self) -> usize {
        self.remembered()
            .len()
            .saturating_sub(self.had)
            .max(self.rest.len())
    }

    fn remembered(&self) -> &[u8] {
        self.memory.as_deref().unwrap_or_default()
    }
}

impl hyper::body::Body for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let next = self.with(|slot| (slot.next(self.turn, cx), slot.in_pieces));
        let Some((next, in_pieces)) = next else {
            return Poll::Ready(None);
        };
        let told = |data| {
            let _flight = Arc::clone(&self.flight);
            Bytes::from_owner(Piece { data, _flight })
        };
        next.map_ok(|frame| if in_pieces { frame.map_data(told) } else { frame })
    }

    fn is_end_stream(&self) -> bool {
        // One that gets nothing more does not have all of it.
        let ended = |slot: &mut Slot| slot.turn == self.turn && slot.is_here() == 0;
        self.with(|slot| ended(slot) && slot.body.is_end_stream())
            .unwrap_or(true)
    }

    fn size_hint(&self) -> SizeHint {
        let left = |slot: &mut Slot| {
            if slot.turn != self.turn {
                return SizeHint::default();
            }
            let (here, rest) = (slot.is_here() as u64, slot.body.size_hint());
            let mut left = SizeHint::new();
            left.set_lower(here + rest.lower());
            if let Some(upper) = rest.upper() {
                left.set_upper(here + upper);
            }
            left
        };
        self.with(left).unwrap_or_else(|| SizeHint::with_exact(0))
    }
}

/// A piece of it, and what it belongs to.
struct Piece {
    data: Bytes,
    _flight: Arc<()>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.data
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
const PIECE: usize = 16 * 1024;
/// More is not kept for another attempt.
const REMEMBERED: usize = 64 * 1024;

#[cfg(test)]
mod tests;
