//! Open loop: moments at a fixed rate whatever happens, for whoever is free. One that comes when nobody is free waits in line.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc};

use crate::Outcome;

/// Where the moments come from.
pub(crate) struct Pace {
    due: mpsc::UnboundedSender<Instant>,
    line: Line,
}

/// Where they wait.
#[derive(Clone)]
pub(crate) struct Line(Arc<Mutex<mpsc::UnboundedReceiver<Instant>>>);

impl Pace {
    pub(crate) fn new() -> Self {
        let (due, line) = mpsc::unbounded_channel();
        let line = Line(Arc::new(Mutex::new(line)));
        Self { due, line }
    }

    pub(crate) fn line(&self) -> Line {
        self.line.clone()
    }

    /// So many a second for as long as this; then the line ends.
    pub(crate) async fn keep(self, per_second: f64, piece: Duration) -> Outcome<()> {
        let due = self.due;
        // A thread of its own: the runtime's timers count milliseconds.
        tokio::task::spawn_blocking(move || send(&due, per_second, piece)).await?;
        Ok(())
    }
}

impl Line {
    /// When the next request is due, or was; `None` at the end.
    pub(crate) async fn next(&self) -> Option<Instant> {
        self.0.lock().await.recv().await
    }
}

fn send(due: &mpsc::UnboundedSender<Instant>, per_second: f64, piece: Duration) {
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
