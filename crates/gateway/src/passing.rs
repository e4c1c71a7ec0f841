//! Bodies on their way: watched, so that none stands still for ever, and stripped of trailers that could pass for headers.
//!
//! Spec: RFC 9110 §6.5 (trailers)

use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::{fmt, io, iter};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::balance::Load;
use crate::headers::allowed_trailers;
use crate::watch::Watch;

/// The body of a request, lent to an attempt to send it. As long as nobody has read more of it than is remembered, it can be lent again.
#[derive(Clone)]
pub(crate) struct Lent {
    slot: Option<Arc<Mutex<Slot>>>,
    /// How much of what is remembered this attempt has had.
    had: usize,
}

struct Slot {
    body: Body,
    /// What was read so far; `None` when that is too much, or not wanted.
    memory: Option<Vec<Bytes>>,
    touched: bool,
    read: bool,
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
    /// `memory`: whether it may have to be sent again after some of it was.
    pub(crate) fn new(body: Body, memory: bool) -> Self {
        let ended = body.is_end_stream();
        let slot = || Slot {
            body,
            memory: memory.then(Vec::new),
            touched: false,
            read: false,
            ended: false,
            moved: Instant::now(),
            failure: None,
        };
        Self {
            slot: (!ended).then(|| Arc::new(Mutex::new(slot()))),
            had: 0,
        }
    }

    /// As the body of an attempt.
    pub(crate) fn again(&self) -> Body {
        match &self.slot {
            Some(_) => Body::new(self.clone()),
            None => Body::empty(),
        }
    }

    /// Whether another attempt would send the same.
    pub(crate) fn is_whole(&self) -> bool {
        self.with(|slot| !slot.read || slot.memory.is_some())
            .unwrap_or(true)
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

    /// Why the rest of it will never come.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.with(|slot| slot.failure).flatten()
    }

    /// Whether somebody waits for the rest of it.
    pub(crate) fn is_awaited(&self) -> bool {
        self.with(|slot| slot.touched && !slot.ended).unwrap_or(false)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        let slot = self.slot.as_ref()?;
        Some(look(&mut slot.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Slot {
    /// The next of it, after as much of what is remembered as is said.
    fn next(&mut self, had: usize, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(data) = self.remembered().get(had) {
            return Poll::Ready(Some(Ok(Frame::data(data.clone()))));
        }
        self.touched = true;
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.moved = Instant::now();
        self.ended = frame.is_none() || self.body.is_end_stream();
        match &frame {
            Some(Ok(frame)) => self.remember(frame.data_ref()),
            Some(Err(error)) => self.failure = Some(Failure::of(error)),
            None => {}
        }
        Poll::Ready(frame.map(|frame| frame.map(honest)))
    }

    fn remember(&mut self, data: Option<&Bytes>) {
        self.read = true;
        let so_far: usize = self.remembered().iter().map(Bytes::len).sum();
        match data.filter(|data| so_far + data.len() <= REMEMBERED) {
            Some(data) => self
                .memory
                .iter_mut()
                .for_each(|memory| memory.push(data.clone())),
            None => self.memory = None,
        }
    }

    fn remembered(&self) -> &[Bytes] {
        self.memory.as_deref().unwrap_or_default()
    }
}

impl hyper::body::Body for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let had = self.had;
        let next = self.with(|slot| slot.next(had, cx)).unwrap_or(Poll::Ready(None));
        self.had += usize::from(next.is_ready());
        next
    }

    fn is_end_stream(&self) -> bool {
        self.with(|slot| slot.remembered().len() <= self.had && slot.body.is_end_stream())
            .unwrap_or(true)
    }

    fn size_hint(&self) -> SizeHint {
        let left = |slot: &mut Slot| {
            let again = slot.remembered().iter().skip(self.had);
            let again: u64 = again.map(|data| data.len() as u64).sum();
            let rest = slot.body.size_hint();
            let mut left = SizeHint::new();
            left.set_lower(again + rest.lower());
            if let Some(upper) = rest.upper() {
                left.set_upper(again + upper);
            }
            left
        };
        self.with(left).unwrap_or_else(|| SizeHint::with_exact(0))
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
struct TokenOver;

impl fmt::Display for TokenOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the caller's token is good no longer")
    }
}

impl Error for TokenOver {}

/// The body of a request that is a stream: its client may withhold what would let the answer end, and go on sending.
pub(crate) struct Streaming {
    body: Body,
    until: Option<Pin<Box<Sleep>>>,
    watch: Option<Watch>,
}

impl Streaming {
    /// Breaks off when the caller's token ends, or is taken back.
    pub(crate) fn new(body: Body, until: Option<Instant>, watch: Option<Watch>) -> Self {
        Self {
            body,
            until: until.map(|until| Box::pin(sleep_until(until))),
            watch,
        }
    }
}

impl hyper::body::Body for Streaming {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let expired = self
            .until
            .as_mut()
            .is_some_and(|until| until.as_mut().poll(cx).is_ready());
        let watch = self.watch.as_mut();
        if expired || watch.is_some_and(|watch| Pin::new(watch).poll(cx).is_ready()) {
            (self.until, self.watch, self.body) = (None, None, Body::empty());
            return Poll::Ready(Some(Err(axum::Error::new(TokenOver))));
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer.
pub(crate) struct Passing {
    body: Incoming,
    load: Load,
    patience: Patience,
    /// Whether all of it was read.
    ended: bool,
    alarm: Option<Pin<Box<Sleep>>>,
    watch: Option<Watch>,
}

/// How long an answer may go on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Without anything coming.
    pub(crate) idle: Duration,
    /// At all: the caller's token ends then.
    pub(crate) until: Option<Instant>,
    /// Whether the end is one that the client can tell from a whole answer.
    pub(crate) abrupt: bool,
}

impl Passing {
    /// `watch` is of whoever opened it.
    pub(crate) fn new(body: Incoming, load: Load, patience: Patience, watch: Option<Watch>) -> Self {
        Self {
            body,
            load,
            patience,
            ended: false,
            alarm: None,
            watch,
        }
    }

    fn end(&self) -> Option<Result<Frame<Bytes>, io::Error>> {
        match self.patience.abrupt {
            true => Some(Err(io::ErrorKind::TimedOut.into())),
            false => None,
        }
    }
}

impl hyper::body::Body for Passing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(watch) = &mut self.watch
            && Pin::new(watch).poll(cx).is_ready()
        {
            self.watch = None;
            self.patience.until = Some(Instant::now());
        }
        let until = self.patience.until;
        if until.is_some_and(|until| until <= Instant::now()) {
            return Poll::Ready(self.end());
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            // The next wait begins anew.
            self.alarm = None;
            self.ended = frame.is_none();
            return Poll::Ready(frame.map(|frame| frame.map(honest).map_err(io::Error::other)));
        }
        let idle = self.patience.idle;
        let alarm = self.alarm.get_or_insert_with(|| {
            let silent = Instant::now() + idle;
            Box::pin(sleep_until(until.map_or(silent, |until| until.min(silent))))
        });
        if alarm.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        if until.is_some_and(|until| until <= Instant::now()) {
            return Poll::Ready(self.end());
        }
        Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        // Who knows the length does not ask for an end.
        if self.ended || self.body.is_end_stream() {
            self.load.give_back();
        }
    }
}

fn honest(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(trailers) => Frame::trailers(allowed_trailers(trailers)),
        Err(frame) => frame,
    }
}

const REMEMBERED: usize = 64 * 1024;
