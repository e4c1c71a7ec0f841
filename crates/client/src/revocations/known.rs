//! What is known of a feed, and since when nothing was heard.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::set::Set;
use crate::clock::Clock;

/// What to do when the feed is lost: when nothing was heard of it for too long, or never yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLoss {
    /// Nobody can tell any more whether a token was taken back: `Verdict::Unavailable`, after this long without a word.
    Closed(Duration),
    /// Tokens are good as far as is known. What is taken back during the loss is found out when it is over.
    Open,
}

impl Default for OnLoss {
    /// Closed after 30 seconds.
    fn default() -> Self {
        Self::Closed(Duration::from_secs(30))
    }
}

/// What a feed says of the bundle of services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToldOfServices {
    /// The newest `sequence`: an older bundle counts no more. 0 when nothing was said.
    pub sequence: i64,
    /// Since when, after 1970, the feed has been followed without a break. A server that was started anew may have read another
    /// configuration, of which the sequence says nothing.
    pub since: Duration,
}

/// What is known, and since when.
pub(super) struct Known {
    pub(super) set: ArcSwap<Set>,
    /// The set of the beginning: empty, or that of whom this one succeeds. Never one that it has heard itself. Who succeeds another one holds it.
    pub(super) inherited: Mutex<Arc<Set>>,
    /// And what was said of the bundle of services.
    pub(super) inherited_told: ArcSwap<ToldOfServices>,
    pub(super) clock: Box<dyn Clock>,
    pub(super) on_loss: OnLoss,
    /// Milliseconds of steady time, plus one, at which the set was last known to be whole; 0 before.
    pub(super) whole_at: AtomicU64,
    pub(super) whole: watch::Sender<bool>,
    /// Moves with every change of the set, and of what is said of the bundle of services.
    pub(super) changes: watch::Sender<()>,
    pub(super) cursor: AtomicI64,
    /// The `sequence` of the bundle of services, as the feed last said it.
    pub(super) services: AtomicI64,
    /// Milliseconds since 1970 at which the connection was made that the last message came by; 0 before the set is whole for the first time.
    pub(super) connected_at: AtomicU64,
    pub(super) streaming: AtomicBool,
}

impl Known {
    /// Another set from now on.
    pub(super) fn replace(&self, set: Set) {
        self.set.store(Arc::new(set));
        self.changes.send_replace(());
    }

    pub(super) fn age(&self) -> Option<Duration> {
        let whole_at = self.whole_at.load(Ordering::Acquire).checked_sub(1)?;
        Some(
            self.clock
                .steady()
                .saturating_sub(Duration::from_millis(whole_at)),
        )
    }

    /// At this moment of steady time everything was known.
    pub(super) fn is_whole(&self, at: Duration) {
        let millis = u64::try_from(at.as_millis()).unwrap_or(u64::MAX - 1);
        self.whole_at.store(millis + 1, Ordering::Release);
        self.whole.send_replace(true);
    }
}
