//! What goes on when whoever began it is gone, and must come to its end all the same.
//!
//! Spec: RFC 9700 §4.14.2 (rotation) · RFC 7009

use std::future::Future;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::app::Bff;

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
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Bff {
    /// Does it, whether or not somebody waits for it.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let task = self.parts.tasks.begin();
        tokio::spawn(async move {
            let done = work.await;
            drop(task);
            done
        })
    }

    /// Comes when nothing is under way that would be lost: tokens that the issuer gives once, and tokens that are given back.
    pub async fn settled(&self) {
        let mut count = self.parts.tasks.count.subscribe();
        let _ = count.wait_for(|count| *count == 0).await;
    }
}
