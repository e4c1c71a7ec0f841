//! The time, from outside, so that tests can hold it still.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Tells how long it is since 1970-01-01T00:00:00Z.
pub trait Clock: Send + Sync {
    /// Time since 1970-01-01T00:00:00Z.
    fn since_epoch(&self) -> Duration;

    /// Time that only goes on, whatever is done to the clock on the wall; since when does not matter.
    fn steady(&self) -> Duration {
        self.since_epoch()
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place of this crate that reads the machine's clock"
    )]
    fn since_epoch(&self) -> Duration {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default()
    }

    fn steady(&self) -> Duration {
        static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
        BEGAN.elapsed()
    }
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn since_epoch(&self) -> Duration {
        (**self).since_epoch()
    }

    fn steady(&self) -> Duration {
        (**self).steady()
    }
}
