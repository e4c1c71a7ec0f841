//! The database under a test: the same sentences must hold on both engines.
//!
//! SQLite in memory, or, with `CARNET_SPEC_ENGINE=postgres`, a schema of its own on the server that `CARNET_TEST_POSTGRES` names.

use std::sync::atomic::{AtomicU32, Ordering};

use carnet_store::{Engine, Store, StoreConfig};
use tokio_postgres::NoTls;

/// An empty store with today's tables.
pub(crate) async fn fresh_store() -> Store {
    let config = match std::env::var("CARNET_SPEC_ENGINE").as_deref() {
        Err(_) | Ok("" | "sqlite") => StoreConfig::memory(),
        Ok("postgres") => fresh_schema().await,
        Ok(other) => panic!("CARNET_SPEC_ENGINE is {other}; it may be sqlite or postgres"),
    };
    if config != StoreConfig::memory() {
        Store::migrate(&config).await.unwrap();
    }
    Store::open(&config).await.unwrap()
}

/// Made anew, so that what an earlier run of the same process number left behind is gone.
async fn fresh_schema() -> StoreConfig {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let Ok(url) = std::env::var("CARNET_TEST_POSTGRES") else {
        panic!("CARNET_TEST_POSTGRES names no PostgreSQL; ./test.sh starts one");
    };
    let name = format!(
        "carnet_spec_{}_{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    let (client, driver) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(driver);
    let make = format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}");
    client.batch_execute(&make).await.unwrap();
    let separator = if url.contains('?') { '&' } else { '?' };
    StoreConfig::of(Engine::Postgres {
        url: format!("{url}{separator}options=-csearch_path%3D{name}"),
        root_certificates: None,
        pool_size: 4,
    })
}
