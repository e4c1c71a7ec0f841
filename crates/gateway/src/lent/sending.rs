//! How the sending of a body goes on, and its end.

use std::mem;
use std::sync::{Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};

use super::slot::Slot;

/// A body, as long as this attempt to send it is the last one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sending {
    pub(super) slot: Option<Weak<Mutex<Slot>>>,
    pub(super) turn: u32,
    pub(super) held: Weak<()>,
}

impl Sending {
    /// Waits until all of it was taken, and takes the rest back when nothing moves for too long; says whether whoever sends it has let go of it.
    pub(crate) async fn settles(&self, answered: bool) -> bool {
        let is_over = || !self.is_under_way();
        let moved = || (self.moved(), self.held.strong_count());
        if moves_until(is_over, moved, || self.patience(answered)).await {
            return true;
        }
        self.cut();
        sleep(LOOK_EVERY).await;
        !self.is_under_way()
    }

    /// When it last moved.
    pub(crate) fn moved(&self) -> Option<Instant> {
        self.look(|slot| slot.moved)
    }

    /// For how long it need not move; whether the client has its answer.
    pub(crate) fn patience(&self, answered: bool) -> Duration {
        match (answered, self.look(|slot| slot.awaited.is_some())) {
            (false, _) => BRIEFLY,
            (true, Some(true)) => WITH_CLIENT,
            (true, _) => PATIENTLY,
        }
    }

    /// Whether some of it is still to be sent.
    pub(crate) fn is_under_way(&self) -> bool {
        self.held.strong_count() > 0
    }

    /// Nobody reads on, and nobody may take what was read for all of it.
    pub(crate) fn cut(&self) {
        let cut = |slot: &mut Slot| {
            slot.turn += 1;
            (slot.read, slot.memory, slot.rest) = (true, None, Bytes::new());
            (mem::take(&mut slot.body), slot.awaited.clone())
        };
        if let Some((_body, Some(waits))) = self.look(cut) {
            waits.wake();
        }
    }

    fn look<T>(&self, look: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        let slot = self.slot.as_ref()?.upgrade()?;
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        (slot.turn == self.turn).then(|| look(&mut slot))
    }
}

/// Waits until it is over; says no when nothing moves for longer than there is patience for.
pub(crate) async fn moves_until<T: PartialEq>(
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

/// For so long a server may take nothing of a body whose client has left,
pub(super) const BRIEFLY: Duration = Duration::from_secs(1);
/// … and of one whose client has its answer.
pub(super) const PATIENTLY: Duration = Duration::from_secs(30);
/// … and for so long such a client may send nothing of it.
pub(super) const WITH_CLIENT: Duration = Duration::from_secs(60);
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(100);
