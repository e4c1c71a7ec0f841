//! The write path: what is queued, what is committed, who is told.

use carnet_store::{Engine, Store, StoreConfig, StoreError};
use futures_util::future::join_all;

use crate::support::engine::{Fixture, Kind, on_shared_engines, postgres_client};
use crate::support::postgres_server;
use crate::support::sample::{NOW, new_user, user};

on_shared_engines!(
    what_was_answered_is_seen_by_another_process,
    another_process_may_write_too,
    a_failing_write_does_not_hurt_its_neighbours,
    a_check_writes,
);

async fn a_check_writes(f: &Fixture) {
    let forbidden = match &f.config.engine {
        Engine::Postgres { .. } => "ALTER TABLE throttles ADD CONSTRAINT none CHECK (attempts < 0)",
        _ => "CREATE TRIGGER none BEFORE INSERT ON throttles BEGIN SELECT RAISE(ABORT, 'no'); END",
    };
    f.behind_the_back(forbidden).await;
    let checked = f.store.check().await;
    assert!(matches!(&checked, Err(StoreError::Broken(_))), "{checked:?}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_moved_away_or_replaced_is_no_good_any_more() {
    let fixture = Fixture::open(Kind::File).await;
    let Engine::Sqlite { path } = &fixture.config.engine else {
        panic!("a file")
    };
    fixture.store.check().await.unwrap();
    let aside = path.with_extension("aside");
    std::fs::rename(path, &aside).unwrap();
    let gone = fixture.store.check().await;
    assert!(matches!(&gone, Err(StoreError::Unavailable(_))), "{gone:?}");
    std::fs::copy(&aside, path).unwrap();
    let replaced = fixture.store.check().await;
    assert!(
        matches!(&replaced, Err(StoreError::Unavailable(why)) if why.contains("another file")),
        "{replaced:?}"
    );
    std::fs::rename(&aside, path).unwrap();
    fixture.store.check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_database_is_said_to_be_none() {
    let fixture = Fixture::open(Kind::File).await;
    let Engine::Sqlite { path } = &fixture.config.engine else {
        panic!("a file")
    };
    let other = path.with_extension("txt");
    // SQLite makes files for its owner alone, and so must be this one.
    std::fs::copy(path, &other).unwrap();
    std::fs::write(&other, "no database ".repeat(1_000)).unwrap();
    let opened = Store::open(&StoreConfig::sqlite(&other)).await.err();
    assert!(
        matches!(&opened, Some(StoreError::NoDatabase(why)) if why.contains(&other.display().to_string())),
        "{opened:?}"
    );
}

async fn what_was_answered_is_seen_by_another_process(f: &Fixture) {
    let other = Store::open(&f.config).await.unwrap();
    for n in 0..50 {
        let made = f
            .store
            .create_user(&new_user(&format!("{n}@x.example")), NOW)
            .await
            .unwrap();
        assert!(other.user_by_sub(&made.sub).await.unwrap().is_some());
    }
    other.close().await;
}

async fn another_process_may_write_too(f: &Fixture) {
    let other = Store::open(&f.config).await.unwrap();
    let epoch = f.store.settings_epoch().await.unwrap();
    let tasks = (0..40).map(|n| {
        let store = if n % 2 == 0 {
            f.store.clone()
        } else {
            other.clone()
        };
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
        let email = if n % 3 == 0 {
            "taken@x.example".to_owned()
        } else {
            format!("{n}@x.example")
        };
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
    let small = Store::open(&StoreConfig {
        write_queue: 4,
        ..fixture.config.clone()
    })
    .await
    .unwrap();
    let Engine::Sqlite { path } = &fixture.config.engine else {
        panic!("a file")
    };
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
    assert_eq!(
        small.settings_epoch().await.unwrap(),
        1 + i64::try_from(done).unwrap()
    );
    small.close().await;
    fixture.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_write_ahead_log_is_brought_home_and_the_file_is_private() {
    let fixture = Fixture::open(Kind::File).await;
    let Engine::Sqlite { path } = &fixture.config.engine else {
        panic!("a file")
    };
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
    let Engine::Postgres { url, .. } = &fixture.config.engine else {
        panic!("PostgreSQL")
    };
    let killer = postgres_client(url).await;
    for round in 1..=3 {
        fixture.store.bump_settings_epoch().await.unwrap();
        assert_eq!(fixture.store.settings_epoch().await.unwrap(), 2 * round);
        let ended = killer
            .query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()",
                &[],
            )
            .await
            .unwrap();
        assert!(ended.len() >= 2, "a reader and a writer");
        fixture.store.bump_settings_epoch().await.unwrap();
    }
    assert_eq!(fixture.store.settings_epoch().await.unwrap(), 7);
    fixture.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_a_write_that_lost_a_deadlock_is_run_again() {
    let fixture = Fixture::open(Kind::Postgres).await;
    let Engine::Postgres { url, .. } = &fixture.config.engine else {
        panic!("PostgreSQL")
    };
    let mut rival = postgres_client(url).await;
    // The rival waits longer before it looks for a deadlock: so it is ours that is ended.
    rival.batch_execute("SET deadlock_timeout = '20s'").await.unwrap();
    let rival = rival.transaction().await.unwrap();
    rival
        .execute("UPDATE settings SET version = version", &[])
        .await
        .unwrap();
    let store = fixture.store.clone();
    let ours = tokio::spawn(async move { store.add_role("r", "ours", NOW).await });
    wait_for_a_blocked_backend(url).await;
    // Ours has the role and waits for the settings; the rival has the settings and now wants the role.
    let theirs = "INSERT INTO roles (id, name, description, created_at) VALUES ('\\x00', 'r', 'theirs', 0)";
    assert_eq!(
        rival.execute(theirs, &[]).await.unwrap(),
        1,
        "ours was ended and let go of the role"
    );
    rival.rollback().await.unwrap();
    ours.await.unwrap().unwrap();
    assert_eq!(fixture.store.list_roles().await.unwrap()[0].description, "ours");
    fixture.finish().await;
}

async fn wait_for_a_blocked_backend(url: &str) {
    let onlooker = postgres_client(url).await;
    let blocked = "SELECT 1 FROM pg_stat_activity
                   WHERE application_name = current_setting('application_name') AND wait_event_type = 'Lock'";
    while onlooker.query(blocked, &[]).await.unwrap().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Without it the next stranger who looks inside, with `sqlite3` for a backup, deletes the log of a running server.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_holds_its_lock_on_the_file() {
    use std::os::unix::fs::MetadataExt as _;

    let fixture = Fixture::open(Kind::File).await;
    let Engine::Sqlite { path } = &fixture.config.engine else {
        panic!("a file")
    };
    // Opened once more, as a second node in this process or a later start would.
    let second = Store::open(&fixture.config).await.unwrap();
    user(&fixture.store, "a@x.example").await;
    let inode = std::fs::metadata(path).unwrap().ino().to_string();
    let own = std::process::id().to_string();
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    let ours = |line: &&str| {
        let words: Vec<_> = line.split_whitespace().collect();
        words.contains(&own.as_str()) && words.iter().any(|word| word.ends_with(&format!(":{inode}")))
    };
    assert!(
        locks.lines().any(|line| ours(&line)),
        "no lock on {inode} in\n{locks}"
    );
    second.close().await;
    fixture.finish().await;
}

/// A `psql` that somebody forgot holds a row: whoever needs it is told to come back, and everybody else goes on.
#[tokio::test(flavor = "multi_thread")]
async fn postgres_a_row_that_somebody_holds_keeps_nobody_for_long() {
    let fixture = Fixture::open(Kind::Postgres).await;
    let Engine::Postgres { url, .. } = &fixture.config.engine else {
        panic!("PostgreSQL")
    };
    let alice = user(&fixture.store, "a@x.example").await;
    let mut holder = postgres_client(url).await;
    let held = holder.transaction().await.unwrap();
    held.execute("UPDATE settings SET version = version", &[])
        .await
        .unwrap();
    let started = std::time::Instant::now();
    let refused = fixture.store.bump_settings_epoch().await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(started.elapsed() < std::time::Duration::from_secs(8));
    assert!(fixture.store.user_by_sub(&alice.sub).await.unwrap().is_some());
    user(&fixture.store, "b@x.example").await;
    held.rollback().await.unwrap();
    fixture.store.bump_settings_epoch().await.unwrap();
    fixture.finish().await;
}

/// `ALTER DATABASE … ALLOW_CONNECTIONS false`, SQLSTATE 55000: as unavailable as a database that is down, and nobody's mistake in a query.
#[tokio::test(flavor = "multi_thread")]
async fn postgres_a_database_that_lets_nobody_in_is_unavailable() {
    let shared = postgres_server::shared_url();
    let name = format!("carnet_closed_{}", std::process::id());
    let admin = postgres_client(shared).await;
    let script = async |sql: String| admin.batch_execute(&sql).await.unwrap();
    script(format!("DROP DATABASE IF EXISTS {name}")).await;
    script(format!("CREATE DATABASE {name}")).await;
    let (server, rest) = shared.rsplit_once('/').unwrap();
    let parameters = rest
        .split_once('?')
        .map(|(_, parameters)| format!("?{parameters}"));
    let config = StoreConfig::of(Engine::Postgres {
        url: format!("{server}/{name}{}", parameters.unwrap_or_default()),
        root_certificates: None,
        pool_size: 1,
    });
    script(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await;
    let refused = Store::migrate(&config).await.err();
    assert!(matches!(refused, Some(StoreError::Unavailable(_))), "{refused:?}");
    script(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await;
    Store::migrate(&config).await.unwrap();
    script(format!("DROP DATABASE {name} WITH (FORCE)")).await;
}
