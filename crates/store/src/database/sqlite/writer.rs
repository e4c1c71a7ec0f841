//! The writer: takes whatever has queued up, commits it as one, and answers only then.

use std::panic::AssertUnwindSafe;
use std::thread::{Builder, JoinHandle};

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
    while waiting.blocking_recv_many(&mut messages, GROUP) > 0 {
        let (jobs, stop) = queue::jobs(&mut messages);
        commit(connection, jobs);
        if stop {
            return;
        }
    }
}

/// One transaction for all jobs, a savepoint for each, answers after the COMMIT.
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
    let mut outcomes = Vec::with_capacity(jobs.len());
    for job in &mut jobs {
        match guarded(connection, job.as_mut()) {
            Ok(outcome) => outcomes.push(outcome),
            // The transaction is gone, and with it what the neighbours did.
            Err(error) => {
                roll_back(connection);
                return refuse(jobs, &error);
            }
        }
    }
    if let Err(error) = command(connection, "COMMIT") {
        roll_back(connection);
        return refuse(jobs, &error);
    }
    for (job, outcome) in jobs.into_iter().zip(outcomes) {
        job.answer(outcome);
    }
}

/// The job in its savepoint. The inner error is its own; the outer one has taken the transaction down.
fn guarded(connection: &Connection, job: &mut dyn Job) -> Result<Result<(), StoreError>, StoreError> {
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
fn attempt(connection: &Connection, job: &mut dyn Job) -> Result<(), StoreError> {
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
            other => StoreError::Unavailable(other.to_string()),
        }));
    }
}

/// How many jobs share a COMMIT at most: enough to hide the disk, few enough to keep the wait short.
const GROUP: usize = 256;

#[cfg(test)]
mod tests;
