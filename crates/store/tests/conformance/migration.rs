//! Migrations and the doors that guard them.

use carnet_store::{Store, StoreConfig, StoreError};
use futures_util::future::join_all;

use crate::support::engine::{Fixture, Kind, behind_the_back, on_shared_engines, unmigrated};

on_shared_engines!(
    an_edited_migration_is_refused,
    a_newer_schema_is_refused,
    migrating_again_changes_nothing,
    a_closed_store_says_so,
);

async fn opening_without_migrating_is_refused(kind: Kind) {
    let (config, _place) = unmigrated(kind).await;
    let refused = Store::open(&config).await.err();
    assert!(
        matches!(&refused, Some(StoreError::Schema(why)) if why.contains("carnet migrate")),
        "{refused:?}"
    );
    let report = Store::migrate(&config).await.unwrap();
    assert_eq!(
        (report.new.as_slice(), report.applied.len()),
        (
            [
                "0001_start",
                "0002_authorization",
                "0003_grants_by_audience",
                "0004_claims",
                "0005_dpop",
                "0006_logout",
                "0007_client_registration",
                "0008_bff",
                "0009_configured_clients",
                "0010_served_clients",
                "0011_token_lives",
                "0012_taken_notices"
            ]
            .map(str::to_owned)
            .as_slice(),
            0
        )
    );
    Store::open(&config).await.unwrap().close().await;
}

/// Stands for two processes: nothing is shared but the database.
async fn of_many_that_migrate_at_once_one_does_it(kind: Kind) {
    let (config, _place) = unmigrated(kind).await;
    let migrate = || {
        let config: StoreConfig = config.clone();
        tokio::spawn(async move { Store::migrate(&config).await })
    };
    let reports = join_all([migrate(), migrate(), migrate(), migrate()]).await;
    let did: usize = reports
        .into_iter()
        .map(|report| report.unwrap().unwrap().new.len())
        .sum();
    assert_eq!(did, 12);
    let store = Store::open(&config).await.unwrap();
    assert!(!store.revocation_clock().await.unwrap().epoch.is_empty());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_opening_without_migrating_is_refused() {
    opening_without_migrating_is_refused(Kind::File).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_opening_without_migrating_is_refused() {
    opening_without_migrating_is_refused(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_of_many_that_migrate_at_once_one_does_it() {
    of_many_that_migrate_at_once_one_does_it(Kind::File).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_of_many_that_migrate_at_once_one_does_it() {
    of_many_that_migrate_at_once_one_does_it(Kind::Postgres).await;
}

async fn refused(config: &StoreConfig, because: &str) {
    for outcome in [
        Store::open(config).await.err(),
        Store::migrate(config).await.err(),
    ] {
        assert!(
            matches!(&outcome, Some(StoreError::Foreign(why)) if why.contains(because)),
            "{outcome:?}"
        );
    }
}

async fn an_edited_migration_is_refused(f: &Fixture) {
    f.behind_the_back("UPDATE migrations SET checksum = 'edited'")
        .await;
    refused(&f.config, "was edited").await;
}

async fn a_newer_schema_is_refused(f: &Fixture) {
    f.behind_the_back("INSERT INTO migrations VALUES (99, '0099_later', 'x')")
        .await;
    refused(&f.config, "newer carnet").await;
}

async fn migrating_again_changes_nothing(f: &Fixture) {
    f.store.bump_settings_epoch().await.unwrap();
    let clock = f.store.revocation_clock().await.unwrap();
    let report = Store::migrate(&f.config).await.unwrap();
    assert_eq!(
        (report.applied.len(), report.new.len(), report.pending.len()),
        (12, 0, 0)
    );
    assert_eq!(Store::migration_status(&f.config).await.unwrap(), report);
    assert_eq!(f.store.revocation_clock().await.unwrap(), clock);
    assert_eq!(f.store.settings_epoch().await.unwrap(), 2);
}

async fn a_closed_store_says_so(f: &Fixture) {
    let store = Store::open(&f.config).await.unwrap();
    store.check().await.unwrap();
    store.clone().close().await;
    assert!(matches!(store.check().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(
        store.bump_settings_epoch().await,
        Err(StoreError::Unavailable(_))
    ));
    assert!(matches!(
        store.settings_epoch().await,
        Err(StoreError::Unavailable(_))
    ));
    behind_the_back(&f.config, "UPDATE settings SET version = version").await;
    f.store.check().await.unwrap();
}
