//! Whether the servers of a service are well: each is asked now and then; and which connections to them wait for nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::balance::Server;
use crate::lines::IDLE;
use crate::upstream::Upstream;

/// Asks one server, for as long as it is polled: each has a watch of its own, so that none waits for another. Ends at once when nobody wants to know.
pub(crate) async fn watch(upstream: Arc<Upstream>, server: Arc<Server>) {
    let Some((path, every)) = &upstream.health else {
        return;
    };
    let mut tick = interval(*every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let asked = timeout(LEAST_PATIENCE.max(*every), upstream.probe(&server, path));
        let well = asked.await.unwrap_or(false);
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

/// Closes connections that have waited too long, for as long as it is polled.
pub(crate) async fn sweep(upstream: Arc<Upstream>) {
    let mut tick = interval(IDLE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        for server in upstream.servers() {
            server.lines.sweep();
            server.cables.sweep();
        }
    }
}

/// A server that does not answer within the interval of its checks is not well; however short that is, it has so much time.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);
