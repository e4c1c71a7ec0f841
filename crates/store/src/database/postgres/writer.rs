//! The writers: each groups what has queued up into one transaction, and runs again what another one disturbed.

use std::panic::AssertUnwindSafe;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join;
use tokio::sync::mpsc::Receiver;
use tokio::task::{JoinSet, LocalSet};

use super::connection::{Connection, Fate};
use super::target::Target;
use crate::database::job::{self, Job};
use crate::database::queue::{self, Lane, Message, Queue};
use crate::database::tx::Tx;
use crate::error::StoreError;

/// The queues of the writers.
pub(super) struct Queues {
    main: Queue,
    alone: Queue,
    spread: [Queue; 2],
}

impl Queues {
    /// The queue of a lane.
    pub(super) fn of(&self, lane: Lane) -> &Queue {
        let [even, odd] = &self.spread;
        match lane {
            Lane::Main => &self.main,
            Lane::Alone => &self.alone,
            Lane::Spread(hash) if hash % 2 == 0 => even,
            Lane::Spread(_) => odd,
        }
    }

    /// Tell every writer to finish and stop.
    pub(super) async fn stop(&self) {
        let [even, odd] = &self.spread;
        for queue in [&self.main, &self.alone, even, odd] {
            queue.stop().await;
        }
    }
}

/// Start the thread of the writers, with a queue for each.
pub(super) fn start(target: Target, capacity: usize) -> Result<(Queues, JoinHandle<()>), StoreError> {
    let broken = |error: std::io::Error| StoreError::Unavailable(format!("no writer thread: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(broken)?;
    let [(main, to_main), (alone, to_alone), (even, to_even), (odd, to_odd)] =
        std::array::from_fn(|_| Queue::new(capacity));
    let writers = [(GROUP, to_main), (1, to_alone), (GROUP, to_even), (GROUP, to_odd)];
    let thread = Builder::new()
        .name("carnet-postgres-writer".to_owned())
        .spawn(move || {
            LocalSet::new().block_on(&runtime, async move {
                let mut running = JoinSet::new();
                for (group, waiting) in writers {
                    let writer = Writer {
                        target: target.clone(),
                        connection: None,
                    };
                    running.spawn_local(writer.serve(waiting, group));
                }
                while running.join_next().await.is_some() {}
            });
        });
    Ok((
        Queues {
            main,
            alone,
            spread: [even, odd],
        },
        thread.map_err(broken)?,
    ))
}

/// One writer: a queue, a connection.
struct Writer {
    target: Target,
    connection: Option<Connection>,
}

impl Writer {
    async fn serve(mut self, mut waiting: Receiver<Message>, group: usize) {
        let mut messages = Vec::with_capacity(group);
        while waiting.recv_many(&mut messages, group).await > 0 {
            let (jobs, stop) = queue::jobs(&mut messages);
            self.settle(jobs).await;
            if stop {
                break;
            }
        }
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
    }

    /// Together when there are several; one by one what could not be done together.
    async fn settle(&mut self, jobs: Vec<Box<dyn Job>>) {
        let jobs = job::in_time(jobs);
        let rest = if jobs.len() > 1 {
            self.commit_group(jobs).await
        } else {
            jobs
        };
        for job in rest {
            self.commit_one(job).await;
        }
    }

    /// One transaction for all jobs, a savepoint for each, answers after the COMMIT. What comes back was not done.
    async fn commit_group(&mut self, mut jobs: Vec<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
        let connection = match self.connection().await {
            Ok(connection) => connection,
            Err(error) => {
                refuse(jobs, &error);
                return Vec::new();
            }
        };
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in &mut jobs {
            let before = if outcomes.is_empty() {
                "BEGIN; SAVEPOINT job"
            } else {
                "RELEASE job; SAVEPOINT job"
            };
            let outcome = attempt(connection, before, job.as_mut()).await;
            let back = match connection.take_fate() {
                Fate::Held | Fate::Again | Fate::Lost => {
                    self.abandon().await;
                    return jobs;
                }
                Fate::Whole if outcome.is_ok() => Ok(()),
                Fate::Whole | Fate::Failed => connection.script("ROLLBACK TO job").await,
            };
            if back.is_err() {
                self.abandon().await;
                return jobs;
            }
            outcomes.push(outcome);
        }
        if jobs.iter().any(|job| job.is_overdue()) {
            self.abandon().await;
            return jobs;
        }
        match self.commit().await {
            Ok(()) => jobs
                .into_iter()
                .zip(outcomes)
                .for_each(|(job, outcome)| job.answer(outcome)),
            Err(Doubt::NotDone(_)) => return jobs,
            Err(Doubt::Unknown) => refuse(jobs, &unknown()),
        }
        Vec::new()
    }

    /// One job in its own transaction, again and again while others are in the way.
    async fn commit_one(&mut self, mut job: Box<dyn Job>) {
        for round in 0..ROUNDS {
            if round > 0 {
                tokio::time::sleep(PAUSE * round).await;
            }
            if job.is_overdue() {
                return job.answer(Err(job::too_late()));
            }
            let connection = match self.connection().await {
                Ok(connection) => connection,
                Err(error) => return job.answer(Err(error)),
            };
            let outcome = attempt(connection, "BEGIN", job.as_mut()).await;
            let fate = connection.take_fate();
            if fate != Fate::Whole || outcome.is_err() {
                self.roll_back(fate).await;
                let again = fate == Fate::Held && (round == 0 || job.is_at_leisure());
                match outcome {
                    _ if fate >= Fate::Again || again => continue,
                    Ok(()) => {
                        return job.answer(Err(StoreError::Broken(
                            "a failed statement was ignored".to_owned(),
                        )));
                    }
                    Err(error) => return job.answer(Err(error)),
                }
            }
            if job.is_overdue() {
                self.roll_back(fate).await;
                return job.answer(Err(job::too_late()));
            }
            match self.commit().await {
                Ok(()) => return job.answer(Ok(())),
                Err(Doubt::NotDone(Fate::Again)) => {}
                Err(Doubt::NotDone(_)) => {
                    let error = StoreError::Broken(format!("{}: the COMMIT was refused", job.label()));
                    return job.answer(Err(error));
                }
                Err(Doubt::Unknown) => return job.answer(Err(unknown())),
            }
        }
        tracing::warn!(job = job.label(), "a write was disturbed too often");
        job.answer(Err(StoreError::Busy {
            retry_after_seconds: 1,
        }));
    }

    async fn commit(&mut self) -> Result<(), Doubt> {
        let Some(connection) = &self.connection else {
            return Err(Doubt::Unknown);
        };
        if connection.script("COMMIT").await.is_ok() {
            return Ok(());
        }
        let fate = connection.take_fate();
        self.abandon().await;
        // A COMMIT that was refused was not done; one whose answer was lost may have been.
        Err(if fate == Fate::Lost {
            Doubt::Unknown
        } else {
            Doubt::NotDone(fate)
        })
    }

    async fn connection(&mut self) -> Result<&Connection, StoreError> {
        if self.connection.is_none() {
            self.connection = Some(Connection::open(&self.target).await?);
        }
        self.connection.as_ref().ok_or_else(unknown)
    }

    async fn roll_back(&mut self, fate: Fate) {
        let done = match &self.connection {
            Some(connection) if fate != Fate::Lost => connection.script("ROLLBACK").await,
            _ => Err(unknown()),
        };
        if done.is_err() {
            self.connection = None;
        }
    }

    /// Leave the transaction; without an answer to that, leave the connection.
    async fn abandon(&mut self) {
        let fate = self.connection.as_ref().map_or(Fate::Lost, Connection::take_fate);
        self.roll_back(fate).await;
    }
}

/// What is known of a COMMIT that was not confirmed.
enum Doubt {
    NotDone(Fate),
    Unknown,
}

/// Send `before` and the job's first statement in one go, and let the job finish.
async fn attempt(connection: &Connection, before: &str, job: &mut dyn Job) -> Result<(), StoreError> {
    let label = job.label();
    let work = AssertUnwindSafe(job.run(Tx::postgres(connection))).catch_unwind();
    let (begun, outcome) = join(connection.script(before), work).await;
    begun?;
    outcome.unwrap_or_else(|_| Err(StoreError::Broken(format!("{label} panicked"))))
}

fn unknown() -> StoreError {
    StoreError::Unavailable("the connection was lost; whether the write was done is not known".to_owned())
}

fn refuse(jobs: Vec<Box<dyn Job>>, error: &StoreError) {
    for job in jobs {
        job.answer(Err(match error {
            StoreError::Broken(why) => StoreError::Broken(why.clone()),
            StoreError::Full(why) => StoreError::Full(why.clone()),
            other => StoreError::Unavailable(other.to_string()),
        }));
    }
}

/// How many jobs share a COMMIT at most.
const GROUP: usize = 64;

/// How often a disturbed job is run.
const ROUNDS: u32 = 6;

const PAUSE: Duration = Duration::from_millis(10);
