//! The writer: takes whatever has queued up, commits it as one, and answers only then.

use std::panic::AssertUnwindSafe;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use futures_util::FutureExt as _;
use rusqlite::Connection;
use tokio::sync::mpsc::Receiver;

use super::connection::failed;
use crate::database::job::{self, Job};
use crate::database::queue::{self, Message};
use crate::database::tx::Tx;
use crate::error::StoreError;

/// Start the thread; it ends when it is told to, or when nobody can send any more.
pub(super) fn start(
    connection: Connection,
    waiting: Receiver<Message>,
) -> Result<JoinHandle<()>, StoreError> {
    Builder::new()
        .name("carnet-sqlite-writer".to_owned())
        .spawn(move || serve(&connection, waiting))
        .map_err(|error| StoreError::Unavailable(format!("no writer thread: {error}")))
}

fn serve(connection: &Connection, mut waiting: Receiver<Message>) {
    let mut messages = Vec::with_capacity(GROUP);
    let mut crowded = false;
    while waiting.blocking_recv_many(&mut messages, GROUP) > 0 {
        if crowded {
            linger(&mut waiting, &mut messages);
        }
        let (jobs, stop) = queue::jobs(&mut messages);
        crowded = jobs.len() >= CROWD;
        commit(connection, jobs);
        if stop {
            return;
        }
    }
}

/// Where many come, more are on their way: they share the COMMIT, and wake nobody up for it. Every reader forgets its pages at a COMMIT, so
/// that also they gain by fewer of them.
#[expect(
    clippy::disallowed_methods,
    reason = "to be woken by whoever comes is what this is to save, and this is no async thread"
)]
fn linger(waiting: &mut Receiver<Message>, messages: &mut Vec<Message>) {
    for _ in 0..LINGERS {
        std::thread::sleep(LINGER);
        let before = messages.len();
        while messages.len() < GROUP
            && let Ok(message) = waiting.try_recv()
        {
            messages.push(message);
        }
        if messages.len() == GROUP || messages.len() - before < STREAM {
            return;
        }
    }
}

/// One transaction for all jobs, answers after the COMMIT.
fn commit(connection: &Connection, jobs: Vec<Box<dyn Job>>) {
    let mut jobs = job::in_time(jobs);
    if jobs.is_empty() {
        return;
    }
    if let Err(error) = command(connection, "BEGIN IMMEDIATE") {
        return refuse(jobs, &error);
    }
    // Another process may have kept us waiting for the lock.
    jobs = job::in_time(jobs);
    let outcomes = run(connection, &mut jobs);
    let committed = outcomes.and_then(|outcomes| command(connection, "COMMIT").map(|()| outcomes));
    match committed {
        Ok(outcomes) => {
            for (job, outcome) in jobs.into_iter().zip(outcomes) {
                job.answer(outcome);
            }
        }
        // The transaction is gone, and with it what every job did.
        Err(error) => {
            roll_back(connection);
            refuse(jobs, &error);
        }
    }
}

/// What came of each job; the error has taken all of them down.
fn run(connection: &Connection, jobs: &mut Vec<Box<dyn Job>>) -> Result<Vec<Outcome>, StoreError> {
    // A savepoint copies every page before its job changes it, and of most groups no job fails: nothing is to be undone alone.
    let good =
        |job: &mut Box<dyn Job>| attempt(connection, job.as_mut()).is_ok() && !connection.is_autocommit();
    if jobs.iter_mut().all(good) {
        return Ok(jobs.iter().map(|_| Ok(())).collect());
    }
    roll_back(connection);
    command(connection, "BEGIN IMMEDIATE")?;
    // For this lock, too, others may have kept us waiting.
    *jobs = job::in_time(std::mem::take(jobs));
    let each = jobs.iter_mut().map(|job| guarded(connection, job.as_mut()));
    each.collect()
}

/// What a job did or did not do.
type Outcome = Result<(), StoreError>;

/// The job in its savepoint. The inner error is its own; the outer one has taken the transaction down.
fn guarded(connection: &Connection, job: &mut dyn Job) -> Result<Outcome, StoreError> {
    command(connection, "SAVEPOINT job")?;
    let outcome = attempt(connection, job);
    // A full disk or an I/O failure rolls everything back by itself.
    if connection.is_autocommit() {
        return Err(outcome
            .err()
            .unwrap_or_else(|| StoreError::Unavailable("the transaction was lost".to_owned())));
    }
    if outcome.is_err() {
        command(connection, "ROLLBACK TO job")?;
    }
    command(connection, "RELEASE job")?;
    Ok(outcome)
}

/// Run the job's future. Its database calls are done when they return, so one poll is enough.
fn attempt(connection: &Connection, job: &mut dyn Job) -> Outcome {
    let label = job.label();
    let run = std::panic::catch_unwind(AssertUnwindSafe(|| {
        job.run(Tx::sqlite(connection)).now_or_never()
    }));
    match run {
        Ok(Some(outcome)) => outcome,
        Ok(None) => Err(StoreError::Broken(format!(
            "{label} waits for something that is not the database"
        ))),
        Err(_) => Err(StoreError::Broken(format!("{label} panicked"))),
    }
}

fn command(connection: &Connection, text: &'static str) -> Result<(), StoreError> {
    let mut prepared = connection
        .prepare_cached(text)
        .map_err(|error| failed(text, &error))?;
    prepared
        .execute([])
        .map(|_| ())
        .map_err(|error| failed(text, &error))
}

fn roll_back(connection: &Connection) {
    if !connection.is_autocommit()
        && let Err(error) = command(connection, "ROLLBACK")
    {
        tracing::error!(%error, "a transaction could not be rolled back");
    }
}

/// Every job of a failed transaction hears the same: nothing of it was done.
fn refuse(jobs: Vec<Box<dyn Job>>, error: &StoreError) {
    for job in jobs {
        job.answer(Err(match error {
            StoreError::Busy { retry_after_seconds } => StoreError::Busy {
                retry_after_seconds: *retry_after_seconds,
            },
            StoreError::Broken(why) => StoreError::Broken(why.clone()),
            StoreError::Full(why) => StoreError::Full(why.clone()),
            StoreError::NoDatabase(why) => StoreError::NoDatabase(why.clone()),
            other => StoreError::Unavailable(other.to_string()),
        }));
    }
}

/// How many jobs share a COMMIT at most: enough to hide the disk, few enough to keep the wait short.
const GROUP: usize = 256;

/// So many in a group are more than come by chance.
const CROWD: usize = 4;

/// A few times what a COMMIT takes on a fast disk; on a slow one, where groups are large without it, a small part of that.
const LINGER: Duration = Duration::from_micros(400);

/// So often at most, and only while each time brings so many more.
const LINGERS: u32 = 6;
const STREAM: usize = 3;

#[cfg(test)]
mod tests;
