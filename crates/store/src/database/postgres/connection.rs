//! A writer's connection: prepared statements, and what became of the transaction.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Statement as Prepared};

use super::failure::{failed, is_shutdown};
use super::target::Target;
use super::value;
use crate::database::param::Param;
use crate::database::row::Row;
use crate::database::statement::Statement;
use crate::error::StoreError;

/// The worst that happened since the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// Nothing.
    Whole,
    /// A statement failed: the transaction must go back.
    Failed,
    /// Another transaction has held a row for too long: once more, if that is its end.
    Held,
    /// Another transaction was in the way: the same work may succeed when it is run again.
    Again,
    /// The connection is gone, and the transaction with it.
    Lost,
}

/// A connection that one writer uses.
pub(crate) struct Connection {
    client: Client,
    prepared: RefCell<HashMap<&'static str, Prepared>>,
    fate: Cell<Fate>,
    driver: JoinHandle<()>,
}

impl Connection {
    /// Connect, and drive the connection on this thread.
    pub(super) async fn open(target: &Target) -> Result<Self, StoreError> {
        let (client, driver) = target.connect().await?;
        Ok(Self {
            client,
            prepared: RefCell::default(),
            fate: Cell::new(Fate::Whole),
            driver: tokio::task::spawn_local(driver),
        })
    }

    /// Say goodbye to the server.
    pub(super) async fn close(self) {
        drop(self.client);
        // The driver has sent the farewell when it ends; how it ended no longer matters.
        let _ = self.driver.await;
    }

    /// What happened since the last call.
    pub(super) fn take_fate(&self) -> Fate {
        let now = if self.client.is_closed() {
            Fate::Lost
        } else {
            Fate::Whole
        };
        self.fate.replace(Fate::Whole).max(now)
    }

    /// Run a statement; how many rows it changed.
    pub(crate) async fn execute(
        &self,
        statement: &'static Statement,
        params: &[Param],
    ) -> Result<u64, StoreError> {
        let prepared = self.prepare(statement).await?;
        let done = self.client.execute(&prepared, &borrowed(params)).await;
        done.map_err(|error| self.note(statement.name, &error))
    }

    /// All rows of a statement.
    pub(crate) async fn all(
        &self,
        statement: &'static Statement,
        params: &[Param],
    ) -> Result<Vec<Row>, StoreError> {
        let prepared = self.prepare(statement).await?;
        let rows = self.client.query(&prepared, &borrowed(params)).await;
        rows.map_err(|error| self.note(statement.name, &error))?
            .iter()
            .map(value::row)
            .collect()
    }

    /// Run statements without parameters.
    pub(crate) async fn script(&self, text: &str) -> Result<(), StoreError> {
        self.client
            .batch_execute(text)
            .await
            .map_err(|error| self.note("script", &error))
    }

    /// Hold off every other migration until the transaction ends.
    pub(crate) async fn lock_for_migration(&self) -> Result<(), StoreError> {
        self.script(MIGRATION_LOCK).await
    }

    async fn prepare(&self, statement: &'static Statement) -> Result<Prepared, StoreError> {
        if let Some(prepared) = self.prepared.borrow().get(statement.name) {
            return Ok(prepared.clone());
        }
        let prepared = self.client.prepare(statement.sql).await;
        let prepared = prepared.map_err(|error| self.note(statement.name, &error))?;
        self.prepared
            .borrow_mut()
            .insert(statement.name, prepared.clone());
        Ok(prepared)
    }

    fn note(&self, name: &str, error: &Error) -> StoreError {
        let fate = match error.code() {
            Some(&SqlState::T_R_DEADLOCK_DETECTED | &SqlState::T_R_SERIALIZATION_FAILURE) => Fate::Again,
            Some(&SqlState::LOCK_NOT_AVAILABLE) => Fate::Held,
            Some(code) if is_shutdown(code) => Fate::Lost,
            Some(_) => Fate::Failed,
            None if self.client.is_closed() || error.is_closed() => Fate::Lost,
            None => Fate::Failed,
        };
        self.fate.set(self.fate.get().max(fate));
        failed(name, error)
    }
}

fn borrowed(params: &[Param]) -> Vec<&(dyn ToSql + Sync)> {
    params.iter().map(|param| param as _).collect()
}

/// Hold off every other migration. The lock goes with the transaction; its number is "carnet" in ASCII.
const MIGRATION_LOCK: &str = "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(109270182815092)";
