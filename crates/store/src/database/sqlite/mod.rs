//! SQLite: one writer thread, thread-local readers, one checkpoint thread.

mod checkpoint;
pub(super) mod connection;
mod place;
mod reader;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use super::job;
use super::param::Param;
use super::queue::{self, Queue};
use super::row::Row;
use super::statement::Statement;
use super::tx::Tx;
use crate::error::StoreError;

/// An open SQLite database.
pub(crate) struct Sqlite {
    queue: Queue,
    /// None in memory: there the writer's connection is the only one that sees the data.
    readers: Option<reader::Readers>,
    /// None in memory.
    place: Option<place::FilePlace>,
    threads: Mutex<Option<Threads>>,
}

struct Threads {
    writer: JoinHandle<()>,
    /// With the sender whose end stops it.
    checkpoint: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
}

impl Sqlite {
    /// Open a file, and make it if it is not there.
    pub(crate) fn open(path: &Path, capacity: usize) -> Result<Self, StoreError> {
        let connection = connection::writable(path)?;
        let place = place::FilePlace::of(path)?;
        let path: Arc<Path> = path.into();
        let (stop, stopped) = mpsc::channel();
        let checkpoint = checkpoint::start(&path, stopped)?;
        let (queue, waiting) = Queue::new(capacity);
        let writer = writer::start(connection, waiting)?;
        let threads = Threads {
            writer,
            checkpoint: Some((stop, checkpoint)),
        };
        Ok(Self {
            queue,
            readers: Some(reader::Readers::new(path)),
            place: Some(place),
            threads: Mutex::new(Some(threads)),
        })
    }

    /// A database that lives in the writer's connection.
    pub(crate) fn memory(capacity: usize) -> Result<Self, StoreError> {
        let (queue, waiting) = Queue::new(capacity);
        let writer = writer::start(connection::memory()?, waiting)?;
        let threads = Threads {
            writer,
            checkpoint: None,
        };
        Ok(Self {
            queue,
            readers: None,
            place: None,
            threads: Mutex::new(Some(threads)),
        })
    }

    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Whether the file that is open is still the one that the path names.
    pub(super) fn is_in_place(&self) -> Result<(), StoreError> {
        self.place.as_ref().map_or(Ok(()), place::FilePlace::check)
    }

    /// All rows of a statement: inline on this thread from a file, by the writer in memory.
    pub(crate) async fn read(
        &self,
        statement: &'static Statement,
        params: Vec<Param>,
    ) -> Result<Vec<Row>, StoreError> {
        if let Some(readers) = &self.readers {
            return readers.with(|connection| connection::all(connection, statement, &params));
        }
        let (job, answer) = job::pair(statement.name, None, async move |tx: Tx<'_>| {
            tx.all(statement, params.clone()).await
        });
        self.queue.submit(job)?;
        let done = answer.await.unwrap_or_else(|_| Err(queue::closed()))?;
        Ok(done.result)
    }

    /// The first row of one statement, and all rows of another that has these columns of it for its parameters, from one snapshot.
    pub(crate) async fn read_on(
        &self,
        (first, params): (&'static Statement, Vec<Param>),
        then: (&'static Statement, &'static [usize]),
    ) -> Result<Option<(Row, Vec<Row>)>, StoreError> {
        if let Some(readers) = &self.readers {
            return readers.with(|connection| connection::one_and_more(connection, (first, &params), then));
        }
        let (job, answer) = job::pair(first.name, None, async move |tx: Tx<'_>| {
            let Some(row) = tx.optional(first, params.clone()).await? else {
                return Ok(None);
            };
            let rows = tx.all(then.0, row.params(then.1)?).await?;
            Ok(Some((row, rows)))
        });
        self.queue.submit(job)?;
        let done = answer.await.unwrap_or_else(|_| Err(queue::closed()))?;
        Ok(done.result)
    }

    /// Finish what is queued, checkpoint, stop both threads.
    pub(crate) async fn close(&self) {
        self.queue.stop().await;
        let threads = self.threads.lock().ok().and_then(|mut threads| threads.take());
        let Some(Threads { writer, checkpoint }) = threads else {
            return;
        };
        let ended = tokio::task::spawn_blocking(move || {
            let mut clean = writer.join().is_ok();
            if let Some((stop, thread)) = checkpoint {
                drop(stop);
                clean &= thread.join().is_ok();
            }
            clean
        });
        if !matches!(ended.await, Ok(true)) {
            tracing::error!("a thread of the database ended badly");
        }
        if let Some(readers) = &self.readers {
            readers.forget();
        }
    }
}

/// Whether a table is there.
pub(super) static HAS_TABLE: Statement = Statement::new(
    "sqlite.has_table",
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name = $1",
);
