//! The seam: the only place that knows which engine is underneath.
//!
//! A read is one statement. A write is a job: a closure over [`Tx`] that may be run again, committed together
//! with others, and answered only after the COMMIT.

mod dialect;
mod job;
mod param;
mod postgres;
mod queue;
mod row;
mod sqlite;
mod statement;
mod tx;

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::config::{Engine, StoreConfig};
use crate::error::StoreError;

pub use postgres::is_postgres_url;

pub(crate) use param::{Param, params};
pub(crate) use queue::Lane;
pub(crate) use row::{Fields, Row};
pub use statement::Statement;
pub(crate) use tx::Tx;

/// An open database.
pub(crate) struct Database {
    engine: Opened,
    /// Moves after each COMMIT of ours that had news.
    news: watch::Sender<()>,
    /// When a check has last written, and what came of it.
    pub(crate) checked: tokio::sync::Mutex<Option<(Instant, Result<(), StoreError>)>>,
}

enum Opened {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

impl Database {
    /// Open what is there.
    pub(crate) async fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        if let Engine::Sqlite { path } = &config.engine
            && !path.exists()
        {
            return Err(StoreError::Schema(format!(
                "there is no database at {}: run `carnet migrate`",
                path.display()
            )));
        }
        Self::create(config).await
    }

    /// Open, and make the file of a SQLite database that is not there.
    pub(crate) async fn create(config: &StoreConfig) -> Result<Self, StoreError> {
        let engine = match &config.engine {
            Engine::Sqlite { path } => Opened::Sqlite(sqlite::Sqlite::open(path, config.write_queue)?),
            Engine::SqliteMemory => Opened::Sqlite(sqlite::Sqlite::memory(config.write_queue)?),
            Engine::Postgres {
                url,
                root_certificates,
                pool_size,
            } => {
                let target = postgres::Target::parse(url, root_certificates.as_deref())?;
                Opened::Postgres(postgres::Postgres::open(target, *pool_size, config.write_queue).await?)
            }
        };
        Ok(Self {
            engine,
            news: watch::Sender::new(()),
            checked: tokio::sync::Mutex::new(None),
        })
    }

    /// Changes whenever a transaction of this process has committed something that others wait for.
    pub(crate) fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    /// All rows of one statement.
    pub(crate) async fn read(
        &self,
        statement: &'static Statement,
        params: Vec<Param>,
    ) -> Result<Vec<Row>, StoreError> {
        Param::check(&params)?;
        match &self.engine {
            Opened::Sqlite(sqlite) => sqlite.read(statement, params).await,
            // In a box: a read of SQLite does not carry the room for one over the network.
            Opened::Postgres(postgres) => Box::pin(in_time(postgres.read(statement, &params))).await,
        }
    }

    /// The first row of one statement.
    pub(crate) async fn read_one(
        &self,
        statement: &'static Statement,
        params: Vec<Param>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.read(statement, params).await?.into_iter().next())
    }

    /// The first row of one statement, and all rows of another that has these columns of that row for its parameters: on SQLite from one snapshot.
    pub(crate) async fn read_on(
        &self,
        (first, params): (&'static Statement, Vec<Param>),
        then: (&'static Statement, &'static [usize]),
    ) -> Result<Option<(Row, Vec<Row>)>, StoreError> {
        Param::check(&params)?;
        match &self.engine {
            Opened::Sqlite(sqlite) => sqlite.read_on((first, params), then).await,
            Opened::Postgres(postgres) => {
                let (second, columns) = then;
                let Some(row) = self.read_one(first, params).await? else {
                    return Ok(None);
                };
                let params = row.params(columns)?;
                let rows = Box::pin(in_time(postgres.read(second, &params))).await?;
                Ok(Some((row, rows)))
            }
        }
    }

    /// Run a job and answer after its COMMIT.
    ///
    /// The job may be run more than once, each time against a database that knows nothing of the time before;
    /// so it changes nothing outside the transaction. Its error rolls back its own changes and nobody else's.
    ///
    /// [`StoreError::Unavailable`] when no answer comes in time. The job is not done then, unless its COMMIT was under way.
    pub(crate) async fn write<T, F>(&self, lane: Lane, label: &'static str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> AsyncFn(Tx<'c>) -> Result<T, StoreError> + Send + 'static,
    {
        let until = Instant::now() + DEADLINE;
        in_time(self.submit(lane, (label, Some(until)), work)).await
    }

    /// As [`Database::write`], for work that may take as long as it takes.
    pub(crate) async fn write_at_leisure<T, F>(
        &self,
        lane: Lane,
        label: &'static str,
        work: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> AsyncFn(Tx<'c>) -> Result<T, StoreError> + Send + 'static,
    {
        self.submit(lane, (label, None), work).await
    }

    async fn submit<T, F>(
        &self,
        lane: Lane,
        (label, until): (&'static str, Option<Instant>),
        work: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> AsyncFn(Tx<'c>) -> Result<T, StoreError> + Send + 'static,
    {
        let (job, answer) = job::pair(label, until, work);
        match &self.engine {
            Opened::Sqlite(sqlite) => sqlite.queue().submit(job)?,
            Opened::Postgres(postgres) => postgres.queue(lane).submit(job)?,
        }
        let done = answer.await.unwrap_or_else(|_| Err(queue::closed()))?;
        if done.has_news {
            self.news.send_replace(());
        }
        Ok(done.result)
    }

    /// Whether what is open is still where the configuration says. A server answers that by answering.
    pub(crate) fn is_in_place(&self) -> Result<(), StoreError> {
        match &self.engine {
            Opened::Sqlite(sqlite) => sqlite.is_in_place(),
            Opened::Postgres(_) => Ok(()),
        }
    }

    /// Whether a table of this name is visible.
    pub(crate) async fn has_table(&self, name: &str) -> Result<bool, StoreError> {
        let statement = match &self.engine {
            Opened::Sqlite(_) => &sqlite::HAS_TABLE,
            Opened::Postgres(_) => &postgres::HAS_TABLE,
        };
        Ok(self.read_one(statement, params![name]).await?.is_some())
    }

    /// Finish what is queued and stop.
    pub(crate) async fn close(&self) {
        match &self.engine {
            Opened::Sqlite(sqlite) => sqlite.close().await,
            Opened::Postgres(postgres) => postgres.close().await,
        }
    }
}

/// A database that does not answer holds nobody up for longer than this.
async fn in_time<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(DEADLINE + COMMIT, answer)
        .await
        .unwrap_or_else(|_| {
            Err(StoreError::Unavailable(
                "no answer within five seconds".to_owned(),
            ))
        })
}

/// By then a write has been done but for its COMMIT, or is not done at all.
const DEADLINE: Duration = Duration::from_secs(4);

/// How long a COMMIT that is under way is waited for.
const COMMIT: Duration = Duration::from_secs(1);
