//! The settings epoch: one number that moves whenever something that may be cached has changed.

use crate::database::{Lane, Statement, Tx, params};
use crate::error::StoreError;
use crate::store::Store;

impl Store {
    /// The number that every change of roles, keys and policy moves, in the transaction of the change.
    pub async fn settings_epoch(&self) -> Result<i64, StoreError> {
        let row = self.database.read_one(&EPOCH, params![]).await?;
        row.ok_or_else(missing)?.fields().take()
    }

    /// Move the number by hand, so that everything cached is read again.
    pub async fn bump_settings_epoch(&self) -> Result<(), StoreError> {
        self.database
            .write(Lane::Main, "settings.bump", async move |tx| bump(tx).await)
            .await
    }
}

/// Move the number inside the transaction of the change.
pub(crate) async fn bump(tx: Tx<'_>) -> Result<(), StoreError> {
    if tx.execute(&BUMP, params![]).await? == 1 {
        Ok(())
    } else {
        Err(missing())
    }
}

/// After a restore from a backup: beyond every number that the lost history can have reached.
pub(crate) async fn leap(tx: Tx<'_>) -> Result<(), StoreError> {
    tx.execute(&LEAP, params![]).await.map(drop)
}

fn missing() -> StoreError {
    StoreError::Broken("the settings row is missing".to_owned())
}

static EPOCH: Statement = Statement::new("settings.epoch", "SELECT version FROM settings WHERE one = 1");

static BUMP: Statement = Statement::new(
    "settings.bump",
    "UPDATE settings SET version = version + 1 WHERE one = 1",
);

static LEAP: Statement = Statement::new(
    "settings.leap",
    "UPDATE settings SET version = version + 1000000 WHERE one = 1",
);

pub(crate) static STATEMENTS: [&Statement; 3] = [&EPOCH, &BUMP, &LEAP];
