//! Keeps keys fresh while nobody calls: the first caller after a quiet night does not wait, and a program that waits to be ready becomes so.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::sleep;

use crate::jwks::RemoteKeys;

/// Asks for the keys whenever they are due, until nobody else holds them. Must be called inside a runtime.
pub fn keep(keys: &Arc<RemoteKeys>) {
    tokio::spawn(watch(Arc::downgrade(keys)));
}

async fn watch(keys: Weak<RemoteKeys>) {
    let mut wait = SHORTEST;
    loop {
        let Some(due) = keys.upgrade().map(|keys| keys.due_in()) else {
            return;
        };
        wait = match due {
            // The machine may have slept, or its clock been set: nothing is believed for long.
            Some(due) => due.clamp(SHORTEST, LONGEST),
            // There are none yet: asked for less and less often.
            None => (wait * 2).min(COOLDOWN),
        };
        sleep(wait).await;
        let Some(keys) = keys.upgrade() else {
            return;
        };
        keys.prepare().await;
    }
}

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
const COOLDOWN: Duration = Duration::from_secs(30);
