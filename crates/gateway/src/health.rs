//! Whether the servers of a service are well: each is asked now and then; and which connections to them wait for nothing.

use std::sync::Arc;

use tokio::time::{MissedTickBehavior, interval};

use crate::lines::IDLE;
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
                let (upstream, server) = (&upstream.name, &server.authority);
                match well {
                    true => tracing::info!(upstream, %server, "a server is well again"),
                    false => {
                        tracing::warn!(upstream, %server, "a server failed its health check and is not asked until it passes")
                    }
                }
            }
        }
    }
}

/// Closes connections that have waited too long, for as long as it is polled.
pub(crate) async fn sweep(upstream: Arc<Upstream>) {
    let mut tick = interval(IDLE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        for server in upstream.servers() {
            server.lines.sweep();
        }
    }
}
