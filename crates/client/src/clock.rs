//! The time, from outside, so that tests can hold it still.

use std::time::Duration;

/// Tells how long it is since 1970-01-01T00:00:00Z.
pub trait Clock: Send + Sync {
    /// Time since 1970-01-01T00:00:00Z.
    fn since_epoch(&self) -> Duration;
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
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn since_epoch(&self) -> Duration {
        (**self).since_epoch()
    }
}
