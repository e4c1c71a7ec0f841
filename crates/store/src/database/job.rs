//! A write that waits for its turn: work that may be run again, and the one who waits for its answer.

use futures_util::future::LocalBoxFuture;
use tokio::sync::oneshot;

use super::tx::Tx;
use crate::error::StoreError;

/// Work in a queue.
pub(super) trait Job: Send {
    /// What the work is called in the log.
    fn label(&self) -> &'static str;

    /// Do the work inside a transaction and keep its result until the COMMIT.
    fn run<'a>(&'a mut self, tx: Tx<'a>) -> LocalBoxFuture<'a, Result<(), StoreError>>;

    /// After the COMMIT: hand out the result, or the reason why there is none.
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

/// The job, and where its answer will be.
pub(super) fn pair<T, F>(
    label: &'static str,
    work: F,
) -> (Box<dyn Job>, oneshot::Receiver<Result<T, StoreError>>)
where
    T: Send + 'static,
    F: for<'c> AsyncFn(Tx<'c>) -> Result<T, StoreError> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    (
        Box::new(Waiting {
            label,
            work,
            sender,
            result: None,
        }),
        receiver,
    )
}

struct Waiting<T, F> {
    label: &'static str,
    work: F,
    sender: oneshot::Sender<Result<T, StoreError>>,
    result: Option<T>,
}

impl<T, F> Job for Waiting<T, F>
where
    T: Send + 'static,
    F: for<'c> AsyncFn(Tx<'c>) -> Result<T, StoreError> + Send + 'static,
{
    fn label(&self) -> &'static str {
        self.label
    }

    fn run<'a>(&'a mut self, tx: Tx<'a>) -> LocalBoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.result = None;
            self.result = Some((self.work)(tx).await?);
            Ok(())
        })
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let result = self
            .result
            .ok_or_else(|| StoreError::Broken(format!("{} left no result", self.label)));
        // Whoever waited may have gone away; what is committed stays committed.
        let _ = self.sender.send(outcome.and(result));
    }
}
