//! What waits for a hashing thread: first come, first served, and not too many.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use thiserror::Error;
use tokio::sync::oneshot;

use super::{typed::Password, verdict::Verdict};

/// Too many passwords wait to be hashed: answer 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("too many logins at once")]
pub struct Overloaded {
    /// When to try again, in seconds.
    pub retry_after: u64,
}

/// Work for a hashing thread, and where its outcome goes.
pub(super) enum Task {
    Hash {
        password: Password,
        answer: oneshot::Sender<String>,
    },
    Verify {
        password: Password,
        stored: Option<String>,
        /// Whether a match is worth anything; without it every answer is no, at the same cost.
        usable: bool,
        answer: oneshot::Sender<Verdict>,
    },
}

impl Task {
    /// Whether somebody still waits for the answer: in a storm many have hung up.
    pub(super) fn is_wanted(&self) -> bool {
        match self {
            Self::Hash { answer, .. } => !answer.is_closed(),
            Self::Verify { answer, .. } => !answer.is_closed(),
        }
    }
}

/// What a thread does next.
pub(super) enum Next {
    Task(Task),
    Quiet,
    Closed,
}

/// Waiting tasks, first come first served, at most `limit`.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    limit: usize,
}

struct Waiting {
    tasks: VecDeque<Task>,
    open: bool,
}

impl Queue {
    pub(super) fn new(limit: usize) -> Self {
        let waiting = Mutex::new(Waiting {
            tasks: VecDeque::new(),
            open: true,
        });
        Self {
            waiting,
            arrived: Condvar::new(),
            limit,
        }
    }

    pub(super) fn push(&self, task: Task) -> Result<(), Overloaded> {
        let mut waiting = lock(&self.waiting);
        if waiting.tasks.len() >= self.limit {
            waiting.tasks.retain(Task::is_wanted);
        }
        if waiting.tasks.len() >= self.limit {
            return Err(OVERLOADED);
        }
        waiting.tasks.push_back(task);
        self.arrived.notify_one();
        Ok(())
    }

    pub(super) fn next(&self, patience: Option<Duration>) -> Next {
        let mut waiting = lock(&self.waiting);
        loop {
            if !waiting.open {
                return Next::Closed;
            }
            if let Some(task) = waiting.tasks.pop_front() {
                return Next::Task(task);
            }
            waiting = match patience {
                None => self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                Some(patience) => {
                    let (woken, timeout) = self
                        .arrived
                        .wait_timeout(waiting, patience)
                        .unwrap_or_else(PoisonError::into_inner);
                    if timeout.timed_out() && woken.open && woken.tasks.is_empty() {
                        return Next::Quiet;
                    }
                    woken
                }
            };
        }
    }

    pub(super) fn close(&self) {
        let mut waiting = lock(&self.waiting);
        waiting.open = false;
        waiting.tasks.clear();
        self.arrived.notify_all();
    }
}

/// Nothing here is left half done by a panic, so a poisoned lock is as good as another.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A full queue of the default length drains in about this time.
pub(super) const OVERLOADED: Overloaded = Overloaded { retry_after: 2 };
