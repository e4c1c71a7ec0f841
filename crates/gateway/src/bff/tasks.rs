//! What goes on when whoever began it is gone, and must come to its end all the same.
//!
//! Spec: RFC 9700 §4.14.2 (rotation) · RFC 7009

use std::future::Future;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::Instrument as _;

/// How many are under way.
#[derive(Default)]
pub(super) struct Tasks {
    count: watch::Sender<usize>,
}

/// One that is under way until this is dropped.
pub(super) struct Task(watch::Sender<usize>);

impl Tasks {
    pub(super) fn begin(&self) -> Task {
        self.count.send_modify(|count| *count += 1);
        Task(self.count.clone())
    }

    /// Does it, whether or not somebody waits for it.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let task = self.begin();
        let work = async move {
            let done = work.await;
            drop(task);
            done
        };
        // What it logs belongs to the request that began it.
        tokio::spawn(work.in_current_span())
    }

    /// Comes when none is under way.
    pub(super) async fn over(&self) {
        let mut count = self.count.subscribe();
        let _ = count.wait_for(|count| *count == 0).await;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
