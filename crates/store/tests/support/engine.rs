//! A fresh database of each kind for every test.

use std::sync::atomic::{AtomicU32, Ordering};

use carnet_store::{Engine, Store, StoreConfig};

use super::postgres_server;
use super::scratch::Scratch;

/// Where a test runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Memory,
    File,
    Postgres,
}

/// A migrated, empty database.
pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) config: StoreConfig,
    place: Place,
}

enum Place {
    Nowhere,
    Folder(#[expect(dead_code, reason = "kept for what happens when it is dropped")] Scratch),
    Schema(String),
}

impl Fixture {
    /// A database with today's schema.
    pub(crate) async fn open(kind: Kind) -> Self {
        let (config, place) = fresh(kind).await;
        if kind != Kind::Memory {
            Store::migrate(&config).await.unwrap();
        }
        let store = Store::open(&config).await.unwrap();
        Self { store, config, place }
    }

    /// Close, and leave nothing behind.
    pub(crate) async fn finish(self) {
        self.store.close().await;
        if let Place::Schema(name) = &self.place {
            postgres_script(
                postgres_server::shared_url(),
                &format!("DROP SCHEMA {name} CASCADE"),
            )
            .await;
        }
    }

    /// Run SQL behind the store's back.
    pub(crate) async fn behind_the_back(&self, sql: &str) {
        behind_the_back(&self.config, sql).await;
    }
}

/// The configuration of a database without any schema; memory has none before it is opened.
pub(crate) async fn unmigrated(kind: Kind) -> (StoreConfig, impl Sized) {
    fresh(kind).await
}

/// Run SQL as another program would.
pub(crate) async fn behind_the_back(config: &StoreConfig, sql: &str) {
    match &config.engine {
        Engine::Sqlite { path } => {
            let connection = rusqlite::Connection::open(path).unwrap();
            connection
                .busy_timeout(std::time::Duration::from_secs(5))
                .unwrap();
            connection.execute_batch(sql).unwrap();
        }
        Engine::Postgres { url, .. } => postgres_script(url, sql).await,
        Engine::SqliteMemory => panic!("nobody else sees a database in memory"),
    }
}

/// A connection of our own to PostgreSQL.
pub(crate) async fn postgres_client(url: &str) -> tokio_postgres::Client {
    let (client, driver) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(driver);
    client
}

async fn postgres_script(url: &str, sql: &str) {
    postgres_client(url).await.batch_execute(sql).await.unwrap();
}

async fn fresh(kind: Kind) -> (StoreConfig, Place) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    match kind {
        Kind::Memory => (StoreConfig::memory(), Place::Nowhere),
        Kind::File => {
            let folder = Scratch::new("sqlite");
            (
                StoreConfig::sqlite(folder.path().join("carnet.db")),
                Place::Folder(folder),
            )
        }
        Kind::Postgres => {
            let url = postgres_server::shared_url();
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("carnet_test_{}_{number}", std::process::id());
            let drop_and_make = format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}");
            postgres_script(url, &drop_and_make).await;
            let separator = if url.contains('?') { '&' } else { '?' };
            let url = format!("{url}{separator}options=-csearch_path%3D{name}&application_name={name}");
            let config = StoreConfig::of(Engine::Postgres {
                url,
                root_certificates: None,
                pool_size: 4,
            });
            (config, Place::Schema(name))
        }
    }
}

/// Each case as a test on every engine.
macro_rules! on_every_engine {
    ($($case:ident),+ $(,)?) => {
        mod sqlite_in_memory { $( $crate::support::engine::case!(Memory, $case); )+ }
        mod sqlite_in_a_file { $( $crate::support::engine::case!(File, $case); )+ }
        mod postgres { $( $crate::support::engine::case!(Postgres, $case); )+ }
    };
}

/// Each case as a test on the engines that several processes can share.
macro_rules! on_shared_engines {
    ($($case:ident),+ $(,)?) => {
        mod shared_sqlite { $( $crate::support::engine::case!(File, $case); )+ }
        mod shared_postgres { $( $crate::support::engine::case!(Postgres, $case); )+ }
    };
}

macro_rules! case {
    ($kind:ident, $case:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let kind = $crate::support::engine::Kind::$kind;
            let fixture = $crate::support::engine::Fixture::open(kind).await;
            super::$case(&fixture).await;
            fixture.finish().await;
        }
    };
}

pub(crate) use {case, on_every_engine, on_shared_engines};
