//! PostgreSQL: a pool that reads, and a thread with a few writers that commit in groups.

pub(super) mod connection;
mod failure;
mod target;
mod value;
mod writer;

use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::Duration;

use deadpool_postgres::{Pool, Runtime};
use tokio_postgres::types::ToSql;

use super::param::Param;
use super::queue::{Lane, Queue};
use super::row::Row;
use super::statement::Statement;
use crate::error::StoreError;

pub(super) use target::Target;
pub use target::is_postgres_url;

/// An open PostgreSQL database.
pub(crate) struct Postgres {
    pool: Pool,
    queues: writer::Queues,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Postgres {
    /// Connect once, so that a wrong address or password is told now, and start the writers.
    pub(crate) async fn open(target: Target, pool_size: usize, capacity: usize) -> Result<Self, StoreError> {
        let pool = Pool::builder(target.manager())
            .max_size(pool_size.max(1))
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .recycle_timeout(Some(PATIENCE))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let connection = pool.get().await.map_err(|error| pool_failed(&error))?;
        connection
            .simple_query("SELECT 1")
            .await
            .map_err(|error| failure::failed("open", &error))?;
        drop(connection);
        let (queues, writer) = writer::start(target, capacity)?;
        Ok(Self {
            pool,
            queues,
            writer: Mutex::new(Some(writer)),
        })
    }

    /// The queue of a lane.
    pub(super) fn queue(&self, lane: Lane) -> &Queue {
        self.queues.of(lane)
    }

    /// All rows of a statement. Connections that died in the pool are replaced: after a restart of the server that may be all of them.
    pub(crate) async fn read(
        &self,
        statement: &'static Statement,
        params: &[Param],
    ) -> Result<Vec<Row>, StoreError> {
        for _ in 0..self.pool.status().max_size {
            match self.try_read(statement, params).await {
                Err(Attempt::Lost(_)) => {}
                other => return other.map_err(Attempt::into_error),
            }
        }
        let last = self.try_read(statement, params).await;
        last.map_err(Attempt::into_error)
    }

    /// Finish what is queued and stop.
    pub(crate) async fn close(&self) {
        self.queues.stop().await;
        let writer = self.writer.lock().ok().and_then(|mut writer| writer.take());
        if let Some(writer) = writer {
            let ended = tokio::task::spawn_blocking(move || writer.join().is_ok()).await;
            if !matches!(ended, Ok(true)) {
                tracing::error!("the writer of the database ended badly");
            }
        }
        self.pool.close();
    }

    async fn try_read(&self, statement: &'static Statement, params: &[Param]) -> Result<Vec<Row>, Attempt> {
        let client = self
            .pool
            .get()
            .await
            .map_err(|error| Attempt::Failed(pool_failed(&error)))?;
        let failed = |error: tokio_postgres::Error| {
            let lost = error.is_closed() || error.code().is_some_and(failure::is_shutdown);
            let error = failure::failed(statement.name, &error);
            if lost {
                Attempt::Lost(error)
            } else {
                Attempt::Failed(error)
            }
        };
        let prepared = client.prepare_cached(statement.sql).await.map_err(failed)?;
        let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|param| param as _).collect();
        let rows = client.query(&prepared, &params).await.map_err(failed)?;
        rows.iter()
            .map(value::row)
            .collect::<Result<_, _>>()
            .map_err(Attempt::Failed)
    }
}

enum Attempt {
    Lost(StoreError),
    Failed(StoreError),
}

impl Attempt {
    fn into_error(self) -> StoreError {
        match self {
            Self::Lost(error) | Self::Failed(error) => error,
        }
    }
}

fn pool_failed(error: &deadpool_postgres::PoolError) -> StoreError {
    match error {
        deadpool_postgres::PoolError::Backend(error) => failure::failed("connect", error),
        other => StoreError::Unavailable(other.to_string()),
    }
}

/// Whether a table is visible.
pub(super) static HAS_TABLE: Statement = Statement::new(
    "postgres.has_table",
    "SELECT CAST($1 AS TEXT) WHERE to_regclass($1) IS NOT NULL",
);

const PATIENCE: Duration = Duration::from_secs(5);
