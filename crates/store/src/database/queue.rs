//! The bounded way to a writer.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use tokio::sync::mpsc;

use super::job::Job;
use crate::error::StoreError;

/// Which writer a job goes to, where there is more than one.
///
/// Jobs that lock the same rows in different orders share a lane, so that two groups of jobs do not wait for each
/// other in a circle. SQLite has one writer and knows no lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Everything that has no reason to go elsewhere.
    Main,
    /// Jobs that lock rows which everybody shares: each commits alone and at once.
    Alone,
    /// Jobs on one row, spread by its name.
    Spread(u64),
}

impl Lane {
    /// The lane of this name.
    pub(crate) fn of(name: &str) -> Self {
        Self::Spread(BuildHasherDefault::<DefaultHasher>::default().hash_one(name))
    }
}

/// What a writer is told.
pub(super) enum Message {
    Work(Box<dyn Job>),
    /// Finish what came before and stop.
    Stop,
}

/// The sending end of a writer's queue.
#[derive(Clone)]
pub(super) struct Queue(mpsc::Sender<Message>);

impl Queue {
    /// A queue that holds so many jobs.
    pub(super) fn new(capacity: usize) -> (Self, mpsc::Receiver<Message>) {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        (Self(sender), receiver)
    }

    /// Put a job in, or say at once that it does not fit.
    pub(super) fn submit(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        self.0
            .try_send(Message::Work(job))
            .map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(_) => StoreError::Busy {
                    retry_after_seconds: 1,
                },
                mpsc::error::TrySendError::Closed(_) => closed(),
            })
    }

    /// Tell the writer to finish and stop.
    pub(super) async fn stop(&self) {
        // A writer that is gone has stopped.
        let _ = self.0.send(Message::Stop).await;
    }
}

/// The jobs among the messages, and whether the writer shall stop after them.
pub(super) fn jobs(messages: &mut Vec<Message>) -> (Vec<Box<dyn Job>>, bool) {
    let mut stop = false;
    let mut jobs = Vec::with_capacity(messages.len());
    for message in messages.drain(..) {
        match message {
            Message::Work(job) => jobs.push(job),
            Message::Stop => stop = true,
        }
    }
    (jobs, stop)
}

/// The writer is gone.
pub(super) fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}
