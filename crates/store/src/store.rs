//! The store: opening, migrating, asking whether it answers, closing.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::{Engine, StoreConfig};
use crate::database::{Database, Lane, Statement, params};
use crate::error::StoreError;
use crate::id;
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

    /// Whether the store reads and writes: a read, and a row that is written and taken out again; an empty transaction would tell less.
    /// Whoever asks more than once a second has the answer of the last write.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.database.is_in_place()?;
        self.database.read(&CHECK, params![]).await?;
        // Those who ask at once wait for one.
        let mut checked = self.database.checked.lock().await;
        if let Some((at, outcome)) = &*checked
            && at.elapsed() < CHECKED_EVERY
        {
            return outcome.clone();
        }
        // Another name each time: no server waits for the row of another.
        let name = format!("store.check {}", id::random_name()?);
        let outcome = self
            .database
            .write(Lane::Alone, "store.check", async move |tx| {
                tx.execute(&PUT, params![&name]).await?;
                tx.execute(&TAKE, params![&name]).await.map(drop)
            })
            .await;
        *checked = Some((Instant::now(), outcome.clone()));
        outcome
    }

    /// Finish what is queued and close. Other clones answer [`StoreError::Unavailable`] from then on.
    pub async fn close(self) {
        self.database.close().await;
    }
}

const CHECKED_EVERY: Duration = Duration::from_secs(1);

static CHECK: Statement = Statement::new("store.check", "SELECT version FROM settings");

static PUT: Statement = Statement::new(
    "store.check.put",
    "INSERT INTO throttles (key, attempts, window_ends_at) VALUES ($1, 0, 0)",
);

static TAKE: Statement = Statement::new("store.check.take", "DELETE FROM throttles WHERE key = $1");

pub(crate) static STATEMENTS: [&Statement; 3] = [&CHECK, &PUT, &TAKE];
