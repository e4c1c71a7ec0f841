//! An open transaction, whichever engine it is open on.

use super::dialect;
use super::param::Param;
use super::postgres::connection::Connection;
use super::row::Row;
use super::sqlite::connection as sqlite;
use super::statement::Statement;
use crate::error::StoreError;

/// What a job speaks to.
#[derive(Clone, Copy)]
pub(crate) enum Tx<'c> {
    Sqlite(&'c rusqlite::Connection),
    Postgres(&'c Connection),
}

impl Tx<'_> {
    /// Run a statement; how many rows it changed.
    pub(crate) async fn execute(
        self,
        statement: &'static Statement,
        params: Vec<Param>,
    ) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::execute(connection, statement, &params),
            Self::Postgres(connection) => connection.execute(statement, &params).await,
        }
    }

    /// The first row of a statement.
    pub(crate) async fn optional(
        self,
        statement: &'static Statement,
        params: Vec<Param>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.all(statement, params).await?.into_iter().next())
    }

    /// All rows of a statement.
    pub(crate) async fn all(
        self,
        statement: &'static Statement,
        params: Vec<Param>,
    ) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::all(connection, statement, &params),
            Self::Postgres(connection) => connection.all(statement, &params).await,
        }
    }

    /// Run a migration's text.
    pub(crate) async fn script(self, text: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::script(connection, text),
            Self::Postgres(connection) => connection.script(&dialect::postgres_types(text)).await,
        }
    }

    /// Hold off every other migration until this transaction ends. SQLite has one writer anyhow.
    pub(crate) async fn lock_for_migration(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(connection) => connection.lock_for_migration().await,
        }
    }
}
