//! The body of a request, sent by one attempt after the other; stripped of trailers that could pass for headers.
//!
//! Spec: RFC 9110 §6.5 (trailers), §9.2.2 (what may be sent again)

use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::{fmt, io, iter, mem};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use hyper::body::{Body as _, Frame, SizeHint};
use tokio::time::{Instant, sleep};

use crate::headers::allowed_trailers;

/// The body of a request, lent to an attempt to send it. As long as nobody has read more of it than is remembered, it can be lent again.
pub(crate) struct Lent {
    slot: Option<Arc<Mutex<Slot>>>,
    /// Which attempt it is lent to; an earlier one gets nothing more of it.
    turn: u32,
}

struct Slot {
    body: Body,
    /// What was read so far; `None` when that is too much, or not wanted.
    memory: Option<BytesMut>,
    /// The attempt that has it.
    turn: u32,
    /// How many bytes that has had.
    had: usize,
    /// Whether there will be no other.
    last: bool,
    read: bool,
    /// Whether whoever sends it waits for more of it.
    awaited: bool,
    /// Whether the attempt that had it has let go of it: all of it is on its way, or the attempt is over.
    gone: bool,
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
            memory: memory.then(BytesMut::new),
            turn: 0,
            had: 0,
            last: false,
            read: false,
            awaited: false,
            gone: false,
            ended: false,
            moved: Instant::now(),
            failure: None,
        };
        Self {
            slot: (!ended).then(|| Arc::new(Mutex::new(slot()))),
            turn: 0,
        }
    }

    /// As the body of the next attempt.
    pub(crate) fn again(&self) -> Body {
        let turn = self.with(|slot| {
            slot.turn += 1;
            (slot.had, slot.awaited, slot.gone) = (0, false, false);
            slot.turn
        });
        match turn {
            Some(turn) => Body::new(Self {
                slot: self.slot.clone(),
                turn,
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
        }
    }

    /// Why the rest of it will never come.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.with(|slot| slot.failure).flatten()
    }

    /// Whether somebody waits for the rest of it.
    pub(crate) fn is_awaited(&self) -> bool {
        self.with(|slot| slot.awaited && !slot.ended).unwrap_or(false)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        let slot = self.slot.as_ref()?;
        Some(look(&mut slot.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.with(|slot| slot.gone |= slot.turn == self.turn);
    }
}

/// A body, as long as this attempt to send it is the last one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sending {
    slot: Option<Weak<Mutex<Slot>>>,
    turn: u32,
}

impl Sending {
    /// Waits until all of it was taken; says no, and lets go of the rest, when nothing moves for too long.
    pub(crate) async fn settles(&self, answered: bool) -> bool {
        let moved = || self.look(|slot| slot.moved);
        let settled = settles(|| !self.is_under_way(), moved, || self.patience(answered)).await;
        if !settled {
            self.cut();
        }
        settled
    }

    /// For how long it need not move; whether the client has its answer.
    pub(crate) fn patience(&self, answered: bool) -> Duration {
        match (answered, self.look(|slot| slot.awaited)) {
            (false, _) => BRIEFLY,
            (true, Some(true)) => WITH_CLIENT,
            (true, _) => PATIENTLY,
        }
    }

    /// Whether some of it is still to be sent.
    pub(crate) fn is_under_way(&self) -> bool {
        self.look(|slot| !slot.gone).unwrap_or(false)
    }

    /// Nobody reads on, and nobody may take what was read for all of it.
    pub(crate) fn cut(&self) {
        let cut = |slot: &mut Slot| {
            slot.turn += 1;
            (slot.read, slot.memory) = (true, None);
            mem::take(&mut slot.body)
        };
        drop(self.look(cut));
    }

    fn look<T>(&self, look: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        let slot = self.slot.as_ref()?.upgrade()?;
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        (slot.turn == self.turn).then(|| look(&mut slot))
    }
}

/// Waits until it is over; says no when nothing moves for longer than there is patience for.
pub(crate) async fn settles<T: PartialEq>(
    is_over: impl Fn() -> bool,
    moved: impl Fn() -> T,
    patience: impl Fn() -> Duration,
) -> bool {
    let mut last = (moved(), Instant::now());
    while !is_over() {
        sleep(LOOK_EVERY).await;
        let moved = moved();
        if moved != last.0 {
            last = (moved, Instant::now());
        } else if last.1.elapsed() >= patience() {
            return false;
        }
    }
    true
}

impl Slot {
    /// The next of it for the attempt of this turn, after what of the memory it has not had.
    fn next(&mut self, turn: u32, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if turn != self.turn {
            let gone = io::Error::from(io::ErrorKind::ConnectionAborted);
            return Poll::Ready(Some(Err(axum::Error::new(gone))));
        }
        if let Some(rest) = self.remembered().get(self.had..).filter(|rest| !rest.is_empty()) {
            let rest = Bytes::copy_from_slice(rest);
            self.had += rest.len();
            self.memory.take_if(|_| self.last);
            return Poll::Ready(Some(Ok(Frame::data(rest))));
        }
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.awaited = frame.is_pending();
        let frame = ready!(frame);
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
        self.had += data.map_or(0, Bytes::len);
        let room = REMEMBERED - self.remembered().len();
        let data = data.filter(|data| data.len() <= room && !self.last);
        match (&mut self.memory, data) {
            (Some(memory), Some(data)) => memory.extend_from_slice(data),
            _ => self.memory = None,
        }
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
        self.with(|slot| slot.next(self.turn, cx))
            .unwrap_or(Poll::Ready(None))
    }

    fn is_end_stream(&self) -> bool {
        // One that gets nothing more does not have all of it.
        let ended = |slot: &mut Slot| slot.turn == self.turn && slot.remembered().len() <= slot.had;
        self.with(|slot| ended(slot) && slot.body.is_end_stream())
            .unwrap_or(true)
    }

    fn size_hint(&self) -> SizeHint {
        let left = |slot: &mut Slot| {
            let again = slot.remembered().len().saturating_sub(slot.had) as u64;
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

/// For so long a server may take nothing of a body whose client has left,
const BRIEFLY: Duration = Duration::from_secs(1);
/// … and of one whose client has its answer: the system takes a megabyte ahead of a server that is slow.
pub(crate) const PATIENTLY: Duration = Duration::from_secs(15);
/// … and for so long such a client may send nothing of it.
const WITH_CLIENT: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// More is not kept for another attempt.
const REMEMBERED: usize = 64 * 1024;

#[cfg(test)]
mod tests;
