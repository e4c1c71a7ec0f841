//! Counters of attempts.

use carnet_store::ThrottleRule;
use futures_util::future::join_all;

use crate::support::engine::{Fixture, on_every_engine, on_shared_engines};
use crate::support::sample::NOW;

on_every_engine!(
    pw_08_a_key_takes_its_limit_and_no_more,
    a_refused_attempt_counts_on_no_key,
    rc_04_a_hundred_at_once_are_a_hundred,
    a_good_attempt_is_given_back,
    a_clock_that_steps_back_locks_nobody_out_for_longer_than_a_window,
);
on_shared_engines!(counters_survive_a_restart, rc_04_two_nodes_share_one_limit);

fn rule(key: &str, limit: i64) -> ThrottleRule {
    ThrottleRule {
        key: key.to_owned(),
        limit,
        window_ms: 60_000,
    }
}

async fn pw_08_a_key_takes_its_limit_and_no_more(f: &Fixture) {
    let rules = [rule("alice", 3)];
    for n in 0..3 {
        assert_eq!(f.store.count_attempt(&rules, NOW + n).await.unwrap(), None);
    }
    assert_eq!(
        f.store.count_attempt(&rules, NOW + 10_000).await.unwrap(),
        Some(50_000)
    );
    assert_eq!(
        f.store
            .count_attempt(&[rule("bob", 3)], NOW + 10_000)
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        f.store.count_attempt(&rules, NOW + 60_000).await.unwrap(),
        None,
        "the window has ended"
    );
    assert_eq!(
        f.store.count_attempt(&[rule("none", 0)], NOW).await.unwrap(),
        Some(60_000)
    );
    f.store
        .clear_throttles(&["alice".to_owned(), "unknown".to_owned()])
        .await
        .unwrap();
    for _ in 0..3 {
        assert_eq!(f.store.count_attempt(&rules, NOW + 60_000).await.unwrap(), None);
    }
    assert_eq!(f.store.count_attempt(&[], NOW).await.unwrap(), None);
}

async fn a_refused_attempt_counts_on_no_key(f: &Fixture) {
    let both = [rule("address", 5), rule("alice", 2), rule("zero", 9)];
    for _ in 0..2 {
        assert_eq!(f.store.count_attempt(&both, NOW).await.unwrap(), None);
    }
    for _ in 0..10 {
        assert_eq!(f.store.count_attempt(&both, NOW).await.unwrap(), Some(60_000));
    }
    for _ in 0..3 {
        assert_eq!(
            f.store.count_attempt(&[rule("address", 5)], NOW).await.unwrap(),
            None
        );
    }
    assert!(
        f.store
            .count_attempt(&[rule("address", 5)], NOW)
            .await
            .unwrap()
            .is_some()
    );
}

async fn rc_04_a_hundred_at_once_are_a_hundred(f: &Fixture) {
    let tasks = (0..100).map(|n| {
        let store = f.store.clone();
        // Keys in whatever order the caller has them.
        let mut rules = vec![
            rule("alice", 10),
            rule("address", 1_000),
            rule(&format!("pair{}", n % 7), 1_000),
        ];
        rules.rotate_left(n % 3);
        tokio::spawn(async move { store.count_attempt(&rules, NOW).await.unwrap() })
    });
    let outcomes = join_all(tasks).await;
    let accepted = outcomes
        .into_iter()
        .map(Result::unwrap)
        .filter(Option::is_none)
        .count();
    assert_eq!(accepted, 10);
}

async fn a_good_attempt_is_given_back(f: &Fixture) {
    let rules = [rule("address", 1)];
    for _ in 0..5 {
        assert_eq!(f.store.count_attempt(&rules, NOW).await.unwrap(), None);
        f.store
            .refund_attempt(&["address".to_owned(), "unknown".to_owned()])
            .await
            .unwrap();
    }
    f.store.refund_attempt(&["address".to_owned()]).await.unwrap();
    assert_eq!(
        f.store.count_attempt(&rules, NOW).await.unwrap(),
        None,
        "never below nothing"
    );
    assert!(f.store.count_attempt(&rules, NOW).await.unwrap().is_some());
}

async fn a_clock_that_steps_back_locks_nobody_out_for_longer_than_a_window(f: &Fixture) {
    let rules = [rule("alice", 1)];
    f.store.count_attempt(&rules, NOW).await.unwrap();
    assert_eq!(
        f.store.count_attempt(&rules, NOW - 3_600_000).await.unwrap(),
        Some(60_000)
    );
}

async fn counters_survive_a_restart(f: &Fixture) {
    f.store.count_attempt(&[rule("alice", 1)], NOW).await.unwrap();
    let again = carnet_store::Store::open(&f.config).await.unwrap();
    assert!(
        again
            .count_attempt(&[rule("alice", 1)], NOW)
            .await
            .unwrap()
            .is_some()
    );
    again.close().await;
}

async fn rc_04_two_nodes_share_one_limit(f: &Fixture) {
    let other = carnet_store::Store::open(&f.config).await.unwrap();
    let tasks = (0..60).map(|n| {
        let store = if n % 2 == 0 {
            f.store.clone()
        } else {
            other.clone()
        };
        tokio::spawn(async move {
            store
                .count_attempt(&[rule("alice", 9), rule("bob", 50)], NOW)
                .await
                .unwrap()
        })
    });
    let outcomes = join_all(tasks).await;
    assert_eq!(
        outcomes
            .into_iter()
            .map(Result::unwrap)
            .filter(Option::is_none)
            .count(),
        9
    );
    other.close().await;
}
