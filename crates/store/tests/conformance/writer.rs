//! The write path: what is queued, what is committed, who is told.

use carnet_store::{Engine, Store, StoreConfig, StoreError};
use futures_util::future::join_all;

use crate::support::engine::{Fixture, Kind, behind_the_back, on_shared_engines, postgres_client};
use crate::support::sample::{NOW, login, new_user, theft, user};

on_shared_engines!(
    what_was_answered_is_seen_by_another_process,
    another_process_may_write_too,
    a_failing_write_does_not_hurt_its_neighbours,
);

async fn what_was_answered_is_seen_by_another_process(f: &Fixture) {
    let other = Store::open(&f.config).await.unwrap();
    for n in 0..50 {
        let made = f.store.create_user(&new_user(&format!("{n}@x.example")), NOW).await.unwrap();
        assert!(other.user_by_sub(&made.sub).await.unwrap().is_some());
    }
    other.close().await;
}

async fn another_process_may_write_too(f: &Fixture) {
    let other = Store::open(&f.config).await.unwrap();
    let epoch = f.store.settings_epoch().await.unwrap();
    let tasks = (0..40).map(|n| {
        let store = if n % 2 == 0 { f.store.clone() } else { other.clone() };
        tokio::spawn(async move { store.bump_settings_epoch().await.unwrap() })
    });
    join_all(tasks).await.into_iter().for_each(Result::unwrap);
    assert_eq!(f.store.settings_epoch().await.unwrap(), epoch + 40);
    other.close().await;
}

async fn a_failing_write_does_not_hurt_its_neighbours(f: &Fixture) {
    user(&f.store, "taken@x.example").await;
    let tasks = (0..200).map(|n| {
        let store = f.store.clone();
        let email = if n % 3 == 0 { "taken@x.example".to_owned() } else { format!("{n}@x.example") };
        tokio::spawn(async move { (n, store.create_user(&new_user(&email), NOW).await) })
    });
    for task in join_all(tasks).await {
        let (n, outcome) = task.unwrap();
        assert_eq!(outcome.is_err(), n % 3 == 0, "{n}: {outcome:?}");
    }
    assert_eq!(f.store.list_users(None, 1_000).await.unwrap().len(), 134);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_said_at_once() {
    let fixture = Fixture::open(Kind::File).await;
    let small = Store::open(&StoreConfig { write_queue: 4, ..fixture.config.clone() }).await.unwrap();
    let Engine::Sqlite { path } = &fixture.config.engine else { panic!("a file") };
    // Another process holds the write lock for a while.
    let holder = rusqlite::Connection::open(path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let writes: Vec<_> = (0..40)
        .map(|_| {
            let store = small.clone();
            tokio::spawn(async move { store.bump_settings_epoch().await })
        })
        .collect();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let refused = writes.iter().filter(|write| write.is_finished()).count();
    assert!(refused >= 30, "only {refused} were told that the queue is full");
    holder.execute_batch("COMMIT").unwrap();
    let mut done = 0;
    for outcome in join_all(writes).await {
        match outcome.unwrap() {
            Ok(()) => done += 1,
            Err(StoreError::Busy { retry_after_seconds }) => assert!(retry_after_seconds > 0),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(done, 40 - refused);
    assert_eq!(small.settings_epoch().await.unwrap(), 1 + i64::try_from(done).unwrap());
    small.close().await;
    fixture.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_write_ahead_log_is_brought_home_and_the_file_is_private() {
    let fixture = Fixture::open(Kind::File).await;
    let Engine::Sqlite { path } = &fixture.config.engine else { panic!("a file") };
    user(&fixture.store, "a@x.example").await;
    let log = path.with_extension("db-wal");
    assert!(log.metadata().unwrap().len() > 0);
    #[cfg(unix)]
    for file in [path, &log] {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    fixture.store.clone().close().await;
    let size = log.metadata().map(|file| file.len()).unwrap_or_default();
    assert_eq!(size, 0, "the last checkpoint empties the log");
    fixture.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_a_lost_connection_is_replaced_and_the_write_is_done_once() {
    let fixture = Fixture::open(Kind::Postgres).await;
    let Engine::Postgres { url, .. } = &fixture.config.engine else { panic!("PostgreSQL") };
    fixture.store.bump_settings_epoch().await.unwrap();
    for _ in 0..3 {
        let killer = postgres_client(url).await;
        let mine = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE application_name = 'carnet' AND pid <> pg_backend_pid() AND pid IN
                      (SELECT pid FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE false)
                       OR (application_name = 'carnet' AND query LIKE '%' AND pid <> pg_backend_pid()
                           AND backend_start > now() - interval '0 seconds')";
        killer.batch_execute(mine).await.unwrap();
        fixture.store.bump_settings_epoch().await.unwrap();
    }
    assert_eq!(fixture.store.settings_epoch().await.unwrap(), 5);
    fixture.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_a_disturbed_write_is_run_again() {
    let fixture = Fixture::open(Kind::Postgres).await;
    let Engine::Postgres { url, .. } = &fixture.config.engine else { panic!("PostgreSQL") };
    let alice = user(&fixture.store, "a@x.example").await;
    let family = login(&fixture.store, &alice).await;
    // Another session and ours lock two rows in opposite orders: PostgreSQL ends one of them.
    let mut rival = postgres_client(url).await;
    let rival = rival.transaction().await.unwrap();
    rival.execute("UPDATE settings SET epoch = epoch", &[]).await.unwrap();
    let store = fixture.store.clone();
    let ours = tokio::spawn(async move { store.add_role("r", "", NOW).await });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let blocked = tokio::time::timeout(
        std::time::Duration::from_secs(5),
        rival.execute("INSERT INTO roles (id, name, description, created_at) VALUES ('\\x00', 'r', '', 0)", &[]),
    );
    // Whichever is ended, ours comes to an answer of its own: done, or the other's role is there.
    let theirs = blocked.await.unwrap();
    match theirs {
        Ok(_) => rival.commit().await.unwrap(),
        Err(_) => drop(rival),
    }
    let outcome = ours.await.unwrap();
    assert!(matches!(outcome, Ok(()) | Err(StoreError::Conflict("role_taken"))), "{outcome:?}");
    fixture.store.rotate(&family.fam, 0, 0, &theft(NOW)).await.unwrap();
    behind_the_back(&fixture.config, "DELETE FROM roles").await;
    fixture.finish().await;
}
