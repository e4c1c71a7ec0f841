//! Load: as fast as answers come (closed loop), or at a fixed rate whatever happens (open loop).

use std::time::{Duration, Instant};

use crate::client::Connection;
use crate::process::Process;
use crate::{Outcome, PIECE};

/// What came of a piece of load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// Good answers a second.
    pub(crate) per_second: f64,
    /// CPU time of the server for each, in microseconds.
    pub(crate) cpu_micros: f64,
}

/// Each job runs on its own connection until the piece is over; answers with how often it succeeded.
pub(crate) async fn closed_loop<F>(process: &Process, jobs: Vec<F>) -> Outcome<Rate>
where
    F: Future<Output = Outcome<u64>> + Send + 'static,
{
    let (started, cpu) = (Instant::now(), process.cpu_micros()?);
    let tasks: Vec<_> = jobs.into_iter().map(tokio::spawn).collect();
    let mut done = 0;
    for task in tasks {
        done += task.await??;
    }
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), process.cpu_micros()? - cpu);
    let count = u32::try_from(done)?;
    Ok(Rate {
        per_second: f64::from(count) / seconds,
        cpu_micros: f64::from(u32::try_from(cpu)?) / f64::from(count.max(1)),
    })
}

/// Whether a piece that began then is still going on.
pub(crate) fn goes_on(since: Instant) -> bool {
    since.elapsed() < PIECE
}

/// Latencies of `GET /auth/me` at 50 a second, each counted from the moment it was due.
pub(crate) async fn latencies(address: &str, token: &str) -> Outcome<Vec<Duration>> {
    const EVERY: Duration = Duration::from_millis(20);
    let mut connections = Vec::new();
    for _ in 0..20 {
        connections.push(Connection::open(address).await?);
    }
    let (finished, mut results) = tokio::sync::mpsc::unbounded_channel();
    let started = Instant::now();
    let mut ticks = tokio::time::interval(EVERY);
    let mut idle = connections;
    let (give_back, mut returned) = tokio::sync::mpsc::unbounded_channel();
    while goes_on(started) {
        let due = ticks.tick().await;
        while let Ok(connection) = returned.try_recv() {
            idle.push(connection);
        }
        let mut connection = match idle.pop() {
            Some(connection) => connection,
            None => Connection::open(address).await?,
        };
        let (finished, give_back, token) = (finished.clone(), give_back.clone(), token.to_owned());
        tokio::spawn(async move {
            let outcome = connection
                .get("/auth/me", &token)
                .await
                .map(|answer| answer.status);
            let _ = finished.send((outcome, due.elapsed()));
            let _ = give_back.send(connection);
        });
    }
    drop((finished, give_back));
    let mut all = Vec::new();
    while let Some((outcome, latency)) = results.recv().await {
        match outcome? {
            http::StatusCode::OK => all.push(latency),
            status => return Err(format!("/auth/me: {status}").into()),
        }
    }
    Ok(all)
}
