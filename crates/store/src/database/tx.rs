//! An open transaction, whichever engine it is open on.

use std::sync::atomic::{AtomicBool, Ordering};

use super::dialect;
use super::param::Param;
use super::postgres::connection::Connection;
use super::row::Row;
use super::sqlite::connection as sqlite;
use super::statement::Statement;
use crate::error::StoreError;

/// What a job speaks to.
#[derive(Clone, Copy)]
pub(crate) struct Tx<'c> {
    on: On<'c>,
    news: Option<&'c AtomicBool>,
}

#[derive(Clone, Copy)]
enum On<'c> {
    Sqlite(&'c rusqlite::Connection),
    Postgres(&'c Connection),
}

impl<'c> Tx<'c> {
    pub(super) fn sqlite(connection: &'c rusqlite::Connection) -> Self {
        Self {
            on: On::Sqlite(connection),
            news: None,
        }
    }

    pub(super) fn postgres(connection: &'c Connection) -> Self {
        Self {
            on: On::Postgres(connection),
            news: None,
        }
    }

    /// The same, and what it has to tell is noted here.
    pub(super) fn noting(self, news: &'c AtomicBool) -> Self {
        Self {
            news: Some(news),
            ..self
        }
    }

    /// Others wait for what this transaction writes: they are woken after its COMMIT.
    pub(crate) fn has_news(self) {
        if let Some(news) = self.news {
            news.store(true, Ordering::Release);
        }
    }

    /// Run a statement; how many rows it changed.
    pub(crate) async fn execute(
        self,
        statement: &'static Statement,
        params: Vec<Param>,
    ) -> Result<u64, StoreError> {
        Param::check(&params)?;
        match self.on {
            On::Sqlite(connection) => sqlite::execute(connection, statement, &params),
            On::Postgres(connection) => connection.execute(statement, &params).await,
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
        Param::check(&params)?;
        match self.on {
            On::Sqlite(connection) => sqlite::all(connection, statement, &params),
            On::Postgres(connection) => connection.all(statement, &params).await,
        }
    }

    /// Run a migration's text.
    pub(crate) async fn script(self, text: &str) -> Result<(), StoreError> {
        match self.on {
            On::Sqlite(connection) => sqlite::script(connection, text),
            On::Postgres(connection) => connection.script(&dialect::postgres_types(text)).await,
        }
    }

    /// Hold off every other migration until this transaction ends. SQLite has one writer anyhow.
    pub(crate) async fn lock_for_migration(self) -> Result<(), StoreError> {
        match self.on {
            On::Sqlite(_) => Ok(()),
            On::Postgres(connection) => connection.lock_for_migration().await,
        }
    }
}
