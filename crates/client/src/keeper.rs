//! Keeps keys and bundles fresh while nobody calls: the first caller after a quiet night does not wait, and a program that waits to be ready becomes so.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::sleep;

/// What is asked for again and again: [`RemoteKeys`](crate::jwks::RemoteKeys), or [`RemoteServices`](crate::bundle::RemoteServices).
pub trait Kept: sealed::Sealed + Send + Sync + 'static {
    /// When it should be asked for, counted from now; `None` when it is not there.
    fn due_in(&self) -> Option<Duration>;

    /// Asks for it, if it is due and was not asked for a moment ago.
    fn renew(self: &Arc<Self>) -> impl Future<Output = ()> + Send;
}

/// Asks for it whenever it is due, until nobody else holds it. To be called once for each, inside a runtime.
pub fn keep<K: Kept>(kept: &Arc<K>) {
    tokio::spawn(watch(Arc::downgrade(kept)));
}

async fn watch<K: Kept>(kept: Weak<K>) {
    let mut wait = SHORTEST;
    loop {
        let Some(due) = kept.upgrade().map(|kept| kept.due_in()) else {
            return;
        };
        wait = match due {
            // The machine may have slept, or its clock been set: nothing is believed for long.
            Some(due) => due.clamp(SHORTEST, LONGEST),
            // It is not there yet: asked for less and less often.
            None => (wait * 2).min(COOLDOWN),
        };
        sleep(wait).await;
        let Some(kept) = kept.upgrade() else {
            return;
        };
        kept.renew().await;
    }
}

pub(crate) mod sealed {
    /// Nobody else has anything to keep: what it must be able to do may grow.
    pub trait Sealed {}
}

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
const COOLDOWN: Duration = Duration::from_secs(30);
