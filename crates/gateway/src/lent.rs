//! The body of a request, sent by one attempt after the other; stripped of trailers that could pass for headers.
//!
//! Spec: RFC 9110 §6.5 (trailers), §9.2.2 (what may be sent again)

mod sending;
mod slot;

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as _, Frame, SizeHint};
use tokio::time::Instant;

pub(crate) use sending::{Sending, moves_until};
use slot::Slot;
pub(crate) use slot::{Failure, TokenOver, honest};

/// The body of a request, lent to an attempt to send it. As long as nobody has read more of it than is remembered, it can be lent again.
pub(crate) struct Lent {
    slot: Option<Arc<Mutex<Slot>>>,
    /// Which attempt it is lent to; an earlier one gets nothing more of it.
    turn: u32,
    /// What this attempt sends is under way as long as somebody has this: the attempt, or what was handed over of it.
    held: Arc<()>,
}

impl Lent {
    /// Over HTTP/2 it may have to be sent again after some of it was, and more of it is taken than can be sent.
    pub(crate) fn new(body: Body, over_http2: bool) -> Self {
        let ended = body.is_end_stream();
        Self {
            slot: (!ended).then(|| Arc::new(Mutex::new(Slot::new(body, over_http2)))),
            turn: 0,
            held: Arc::default(),
        }
    }

    /// As the body of the next attempt.
    pub(crate) fn again(&self) -> Body {
        let held = Arc::default();
        let turn = self.with(|slot| {
            slot.turn += 1;
            slot.held = Arc::downgrade(&held);
            (slot.had, slot.rest, slot.awaited) = (0, Bytes::new(), None);
            slot.turn
        });
        match turn {
            Some(turn) => Body::new(Self {
                slot: self.slot.clone(),
                turn,
                held,
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
            held: self.with(|slot| slot.held.clone()).unwrap_or_default(),
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
            let _held = Arc::clone(&self.held);
            Bytes::from_owner(Piece { data, _held })
        };
        next.map_ok(|frame| if in_pieces { frame.map_data(told) } else { frame })
    }

    fn is_end_stream(&self) -> bool {
        // One that gets nothing more does not have all of it.
        let ended = |slot: &mut Slot| slot.turn == self.turn && slot.here() == 0;
        self.with(|slot| ended(slot) && slot.body.is_end_stream())
            .unwrap_or(true)
    }

    fn size_hint(&self) -> SizeHint {
        let left = |slot: &mut Slot| {
            if slot.turn != self.turn {
                return SizeHint::default();
            }
            let (here, rest) = (slot.here() as u64, slot.body.size_hint());
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

/// A piece of it, which tells when it was sent: h2 lets go of it when it is on its way to the socket, or will never be.
struct Piece {
    data: Bytes,
    _held: Arc<()>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

#[cfg(test)]
mod tests;
