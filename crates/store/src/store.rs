//! The store: opening, migrating, asking whether it answers, closing.

use std::sync::Arc;

use crate::config::{Engine, StoreConfig};
use crate::database::{Database, Lane, Statement, params};
use crate::error::StoreError;
use crate::migration::{self, MigrationReport};

/// What we remember. Cheap to clone; all clones share one database.
#[derive(Clone)]
pub struct Store {
    pub(crate) database: Arc<Database>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl Store {
    /// Open a database whose schema is exactly this program's.
    ///
    /// [`StoreError::Schema`] when it is older, newer, edited or not there; nothing is changed then. A database
    /// in memory is migrated, as nobody else could.
    pub async fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        let database = Arc::new(Database::open(config).await?);
        if config.engine == Engine::SqliteMemory {
            migration::run(&database).await?;
        } else {
            migration::status(&database).await?.must_be_current()?;
        }
        Ok(Self { database })
    }

    /// Bring the schema up to date. Two processes may do so at once: one does it, the other finds it done.
    pub async fn migrate(config: &StoreConfig) -> Result<MigrationReport, StoreError> {
        let database = Database::create(config).await?;
        let report = migration::run(&database).await;
        database.close().await;
        report
    }

    /// What `migrate` would do.
    pub async fn migration_status(config: &StoreConfig) -> Result<MigrationReport, StoreError> {
        let database = Database::open(config).await?;
        let report = migration::status(&database).await;
        database.close().await;
        report
    }

    /// Whether the store answers: a read, and a transaction of the writer.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.database.read(&CHECK, params![]).await?;
        self.database
            .write(Lane::Main, "store.check", async move |_| Ok(()))
            .await
    }

    /// Finish what is queued and close. Other clones answer [`StoreError::Unavailable`] from then on.
    pub async fn close(self) {
        self.database.close().await;
    }
}

static CHECK: Statement = Statement::new("store.check", "SELECT version FROM settings");

pub(crate) static STATEMENTS: [&Statement; 1] = [&CHECK];
