//! Whether the servers of a service are well: each is asked now and then.

use std::sync::Arc;

use tokio::time::{MissedTickBehavior, interval};

use crate::upstream::Upstream;

/// Asks every server in turn, for as long as it is polled. Ends at once when nobody wants to know.
pub(crate) async fn watch(upstream: Arc<Upstream>) {
    let Some((path, every)) = &upstream.health else {
        return;
    };
    let mut tick = interval(*every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        for server in upstream.servers() {
            let well = upstream.probe(server, path).await;
            if server.is_found(well) {
                match well {
                    true => tracing::info!(server = %server.authority, "a server is well again"),
                    false => {
                        tracing::warn!(server = %server.authority, "a server failed its health check and is not asked until it passes")
                    }
                }
            }
        }
    }
}
