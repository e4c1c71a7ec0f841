//! Bodies on their way: watched, so that none stands still for ever or outlives whose it is.
//!
//! Spec: RFC 9110 §6.5 (trailers)

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::balance::Load;
use crate::lent::{TokenOver, honest};
use crate::watch::Watch;

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
            let is_last = |frame: &Result<Frame<Bytes>, _>| frame.as_ref().is_ok_and(Frame::is_trailers);
            self.ended = frame.as_ref().is_none_or(is_last);
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
