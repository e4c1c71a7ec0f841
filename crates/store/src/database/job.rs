//! A write that waits for its turn: work that may be run again, and the one who waits for its answer.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::LocalBoxFuture;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::tx::Tx;
use crate::error::StoreError;

/// Work in a queue.
pub(super) trait Job: Send {
    /// What the work is called in the log.
    fn label(&self) -> &'static str;

    /// Whoever waited has been told that it was too late: it must not be done any more.
    fn is_overdue(&self) -> bool;

    /// Whether nobody waits for it within the time of a request: others may be in its way more than once.
    fn is_at_leisure(&self) -> bool;

    /// Do the work inside a transaction and keep its result until the COMMIT.
    fn run<'a>(&'a mut self, tx: Tx<'a>) -> LocalBoxFuture<'a, Result<(), StoreError>>;

    /// After the COMMIT: hand out the result, or the reason why there is none.
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

/// What came of a job, and whether it has something to tell to others.
#[derive(Debug)]
pub(super) struct Done<T> {
    pub(super) result: T,
    pub(super) has_news: bool,
}

/// A job, and where its answer will be.
pub(super) type Pair<T> = (Box<dyn Job>, oneshot::Receiver<Result<Done<T>, StoreError>>);

/// The job, and where its answer will be. Past `until` it is not committed any more.
pub(super) fn pair<T, F>(label: &'static str, until: Option<Instant>, work: F) -> Pair<T>
where
    T: Send + 'static,
    F: for<'c> AsyncFn(Tx<'c>) -> Result<T, StoreError> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    (
        Box::new(Waiting {
            label,
            until,
            news: AtomicBool::new(false),
            work,
            sender,
            result: None,
        }),
        receiver,
    )
}

struct Waiting<T, F> {
    label: &'static str,
    until: Option<Instant>,
    news: AtomicBool,
    work: F,
    sender: oneshot::Sender<Result<Done<T>, StoreError>>,
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

    fn is_overdue(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    fn is_at_leisure(&self) -> bool {
        self.until.is_none()
    }

    fn run<'a>(&'a mut self, tx: Tx<'a>) -> LocalBoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.result = None;
            *self.news.get_mut() = false;
            self.result = Some((self.work)(tx.noting(&self.news)).await?);
            Ok(())
        })
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let has_news = self.news.load(Ordering::Acquire);
        let done = self
            .result
            .map(|result| Done { result, has_news })
            .ok_or_else(|| StoreError::Broken(format!("{} left no result", self.label)));
        // Whoever waited may have gone away; what is committed stays committed.
        let _ = self.sender.send(outcome.and(done));
    }
}

/// The jobs that may still be done. The others hear that nothing was.
pub(super) fn in_time(jobs: Vec<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
    let (overdue, in_time): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.is_overdue());
    for job in overdue {
        tracing::warn!(
            job = job.label(),
            "a write waited too long for the database and was not done"
        );
        job.answer(Err(too_late()));
    }
    in_time
}

/// Nothing was done, because it would have come too late.
pub(super) fn too_late() -> StoreError {
    StoreError::Unavailable("the database did not get to it in time; nothing was done".to_owned())
}
