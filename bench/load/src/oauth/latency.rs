//! Open loop: requests come at a fixed rate whatever happens, and latency counts from the moment each was due.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::server::Server;
use super::work::{Asker, Work};
use crate::Outcome;

/// Connections that wait for something to do; one that is due when none is left waits in line, and that counts.
const CONNECTIONS: usize = 32;

pub(super) async fn at_rate(
    work: Work,
    server: &Server,
    (per_second, piece): (f64, Duration),
) -> Outcome<Vec<Duration>> {
    let (due, line) = async_channel();
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS {
        let (mut asker, line) = (Asker::ready(work, server).await?, line.clone());
        tasks.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            loop {
                let next = line.lock().await.recv().await;
                let Some(moment) = next else {
                    return Ok::<_, Box<dyn std::error::Error + Send + Sync>>(latencies);
                };
                asker.ask().await?;
                latencies.push(Instant::now().saturating_duration_since(moment));
            }
        }));
    }
    // A thread of its own: the runtime's timers count milliseconds.
    let pace = tokio::task::spawn_blocking(move || keep_pace(&due, per_second, piece));
    pace.await?;
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await??);
    }
    Ok(all)
}

type Line = std::sync::Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Instant>>>;

fn async_channel() -> (mpsc::UnboundedSender<Instant>, Line) {
    let (due, line) = mpsc::unbounded_channel();
    (due, std::sync::Arc::new(tokio::sync::Mutex::new(line)))
}

fn keep_pace(due: &mpsc::UnboundedSender<Instant>, per_second: f64, piece: Duration) {
    let every = Duration::from_secs_f64(1.0 / per_second);
    let (started, mut next) = (Instant::now(), Instant::now());
    while started.elapsed() < piece {
        let wait = next.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            std::thread::park_timeout(wait);
            continue;
        }
        if due.send(next).is_err() {
            return;
        }
        next += every;
    }
}
