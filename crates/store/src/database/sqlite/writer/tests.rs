//! The group commit, seen from inside.

use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::database::job::pair;
use crate::database::params;
use crate::database::sqlite::connection;
use crate::database::statement::Statement;

static PUT: Statement = Statement::new("test.put", "INSERT INTO things (name) VALUES ($1)");
static COUNT: Statement = Statement::new("test.count", "SELECT COUNT(*) FROM things");

fn database() -> Connection {
    let connection = connection::memory().unwrap();
    connection
        .execute_batch("CREATE TABLE things (name TEXT NOT NULL PRIMARY KEY)")
        .unwrap();
    connection
}

fn count(connection: &Connection) -> i64 {
    connection::all(connection, &COUNT, &[])
        .unwrap()
        .remove(0)
        .fields()
        .take()
        .unwrap()
}

#[test]
fn a_failing_job_does_not_hurt_its_neighbours() {
    let connection = database();
    let (mut jobs, mut answers) = (Vec::new(), Vec::new());
    for name in ["a", "b", "a", "c"] {
        let (job, answer) = pair("put", None, async move |tx: Tx<'_>| {
            tx.execute(&PUT, params![format!("{name} too")])
                .await
                .map(|_| ())?;
            tx.execute(&PUT, params![name]).await.map(|_| ())
        });
        jobs.push(job);
        answers.push(answer);
    }
    commit(&connection, jobs);
    let outcomes: Vec<bool> = answers
        .iter_mut()
        .map(|answer| answer.try_recv().unwrap().is_ok())
        .collect();
    assert_eq!(outcomes, [true, true, false, true]);
    assert_eq!(count(&connection), 6);
}

#[test]
fn a_job_that_waits_or_panics_is_an_error_and_the_writer_goes_on() {
    let connection = database();
    let (waits, mut first) = pair("waits", None, async move |tx: Tx<'_>| {
        tx.execute(&PUT, params!["half"]).await?;
        std::future::pending::<()>().await;
        Ok(())
    });
    let (panics, mut second) = pair(
        "panics",
        None,
        async move |tx: Tx<'_>| -> Result<(), StoreError> {
            tx.execute(&PUT, params!["half"]).await?;
            panic!("on purpose")
        },
    );
    let (good, mut third) = pair("good", None, async move |tx: Tx<'_>| {
        tx.execute(&PUT, params!["whole"]).await
    });
    commit(&connection, vec![waits, panics, good]);
    assert!(matches!(first.try_recv().unwrap(), Err(StoreError::Broken(_))));
    assert!(matches!(second.try_recv().unwrap(), Err(StoreError::Broken(_))));
    assert_eq!(third.try_recv().unwrap().unwrap().result, 1);
    assert_eq!(count(&connection), 1);
}

#[test]
fn nobody_is_answered_before_the_commit_and_all_fail_with_it() {
    let connection = database();
    connection
        .execute_batch(
            "PRAGMA foreign_keys = ON;
             CREATE TABLE parts (of TEXT NOT NULL REFERENCES things (name) DEFERRABLE INITIALLY DEFERRED);",
        )
        .unwrap();
    static ORPHAN: Statement = Statement::new("test.orphan", "INSERT INTO parts (of) VALUES ($1)");
    let (good, mut first) = pair("good", None, async move |tx: Tx<'_>| {
        tx.execute(&PUT, params!["a"]).await
    });
    let (bad, mut second) = pair("orphan", None, async move |tx: Tx<'_>| {
        tx.execute(&ORPHAN, params!["nobody"]).await
    });
    commit(&connection, vec![good, bad]);
    assert!(
        first.try_recv().unwrap().is_err(),
        "the COMMIT failed, so nothing was done"
    );
    assert!(second.try_recv().unwrap().is_err());
    assert_eq!(count(&connection), 0);
    assert!(connection.is_autocommit(), "the next group can begin");
}

#[test]
fn a_job_whose_caller_was_sent_away_is_not_done() {
    let connection = database();
    let put = async move |tx: Tx<'_>| tx.execute(&PUT, params!["late"]).await;
    let (late, mut first) = pair("late", Some(Instant::now()), put);
    let (good, mut second) = pair(
        "good",
        Some(Instant::now() + Duration::from_secs(60)),
        async move |tx: Tx<'_>| tx.execute(&PUT, params!["a"]).await,
    );
    commit(&connection, vec![late, good]);
    let told = first.try_recv().unwrap();
    assert!(matches!(told, Err(StoreError::Unavailable(_))), "{told:?}");
    assert!(second.try_recv().unwrap().is_ok());
    assert_eq!(count(&connection), 1);
}
