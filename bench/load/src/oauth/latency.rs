//! Open loop: requests come at a fixed rate whatever happens, and latency counts from the moment each was due.

use std::time::{Duration, Instant};

use super::server::Server;
use super::work::{Asker, Work};
use crate::Outcome;
use crate::pace::Pace;

/// Connections that wait for something to do; one that is due when none is left waits in line, and that counts.
const CONNECTIONS: usize = 32;

pub(super) async fn at_rate(
    work: Work,
    server: &Server,
    (per_second, piece): (f64, Duration),
) -> Outcome<Vec<Duration>> {
    let pace = Pace::new();
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS {
        let (mut asker, line) = (Asker::ready(work, server).await?, pace.line());
        tasks.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            loop {
                let Some(moment) = line.next().await else {
                    return Ok::<_, Box<dyn std::error::Error + Send + Sync>>(latencies);
                };
                asker.ask().await?;
                latencies.push(Instant::now().saturating_duration_since(moment));
            }
        }));
    }
    pace.keep(per_second, piece).await?;
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await??);
    }
    Ok(all)
}
