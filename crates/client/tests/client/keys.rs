//! Keys from a server: when they are asked for, and by how many.

use std::time::Duration;

use carnet_jose::{Error, KeySource as _};

use crate::pretended::{Frozen, Pretended, jwks, keys_at, knows, says, until};

const DAY: u64 = 86_400;

#[tokio::test]
async fn a_crowd_shares_one_flight_and_its_failure_too() {
    let clock = Frozen::new();
    let server = Pretended::start(|_| says(500, &[], "")).await;
    server.open(false);
    let keys = keys_at(&server, &clock);
    let crowd: Vec<_> = (0..50)
        .map(|_| {
            let keys = keys.clone();
            tokio::spawn(async move { keys.prepare().await })
        })
        .collect();
    server.is_asked(1).await;
    server.open(true);
    for caller in crowd {
        caller.await.unwrap();
    }
    assert_eq!(keys.keys().unwrap_err(), Error::KeysUnavailable);
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_caller_that_hangs_up_takes_no_flight_along() {
    let clock = Frozen::new();
    let set = jwks("a");
    let server = Pretended::start(move |_| says(200, &[], set.clone())).await;
    server.open(false);
    let keys = keys_at(&server, &clock);
    let caller = tokio::spawn({
        let keys = keys.clone();
        async move { keys.prepare().await }
    });
    server.is_asked(1).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    server.open(true);
    until(|| keys.is_loaded()).await;
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn keys_are_fetched_ahead_of_time_and_nobody_waits() {
    let clock = Frozen::new();
    let set = jwks("a");
    let server = Pretended::start(move |_| says(200, &[("cache-control", "max-age=100")], set.clone())).await;
    let keys = keys_at(&server, &clock);
    keys.prepare().await;
    clock.wait(79);
    keys.prepare().await;
    assert_eq!(server.count(), 1, "fresh until four fifths of its life");
    server.open(false);
    clock.wait(1);
    keys.prepare().await;
    server.is_asked(2).await;
    assert!(knows(&keys, "a"), "while the answer is still to come");
}

#[tokio::test]
async fn time_in_a_cache_on_the_way_counts() {
    let clock = Frozen::new();
    let set = jwks("a");
    let headers = [("cache-control", "max-age=100"), ("age", "50")];
    let server = Pretended::start(move |_| says(200, &headers, set.clone())).await;
    let keys = keys_at(&server, &clock);
    keys.prepare().await;
    clock.wait(50);
    keys.prepare().await;
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn jk_04_random_kids_cost_two_fetches() {
    let clock = Frozen::new();
    let set = jwks("a");
    let server = Pretended::start(move |_| says(200, &[], set.clone())).await;
    let keys = keys_at(&server, &clock);
    keys.prepare().await;
    clock.wait(31);
    for i in 0..5_000 {
        keys.refresh_for(&format!("x{i}")).await;
    }
    assert_eq!(server.count(), 2);
    keys.refresh_for("a").await;
    clock.wait(30);
    keys.refresh_for("a").await;
    assert_eq!(server.count(), 2, "a known key is not looked for");
}

#[tokio::test]
async fn what_the_issuer_itself_has_signed_waits_for_no_random_kid() {
    let clock = Frozen::new();
    let set = jwks("a");
    let server = Pretended::start(move |_| says(200, &[], set.clone())).await;
    let keys = keys_at(&server, &clock);
    keys.prepare().await;
    clock.wait(31);
    keys.refresh_for("x").await;
    let new = jwks("b");
    server.answer(move |_| says(200, &[], new.clone()));
    clock.wait(1);
    keys.refresh_for("b").await;
    assert!(!knows(&keys, "b"), "a caller's token waits for its turn");
    // {"alg":"ES256","kid":"b"}, {} and no signature that anybody looks at.
    keys.refresh_for_issuer("eyJhbGciOiJFUzI1NiIsImtpZCI6ImIifQ.e30.AAAA")
        .await;
    assert!(knows(&keys, "b"));
    assert_eq!(server.count(), 3);
}

#[tokio::test]
async fn a_set_without_keys_is_no_word_on_tokens_and_asked_for_again_within_a_second() {
    let clock = Frozen::new();
    let set = jwks("a");
    let good = set.clone();
    let server = Pretended::start(move |_| says(200, &[], good.clone())).await;
    let keys = keys_at(&server, &clock);
    keys.prepare().await;
    server.answer(|_| says(200, &[("cache-control", "max-age=600")], r#"{"keys":[]}"#));
    clock.wait(31);
    keys.refresh_for("b").await;
    assert_eq!(keys.keys().unwrap_err(), Error::KeysUnavailable);
    assert!(!keys.health().loaded);
    server.answer(move |_| says(200, &[], set.clone()));
    clock.wait(1);
    keys.prepare().await;
    assert!(knows(&keys, "a"));
}

#[tokio::test]
async fn attempts_count_even_when_they_fail() {
    let clock = Frozen::new();
    let set = jwks("a");
    let server = Pretended::start(move |_| says(200, &[], set.clone())).await;
    let keys = keys_at(&server, &clock);
    keys.prepare().await;
    server.answer(|_| says(500, &[], ""));
    clock.wait(31);
    for _ in 0..100 {
        keys.refresh_for("b").await;
    }
    assert_eq!(server.count(), 2);
    let new = jwks("b");
    server.answer(move |_| says(200, &[], new.clone()));
    clock.wait(30);
    keys.refresh_for("b").await;
    assert!(knows(&keys, "b"));
}

#[tokio::test]
async fn the_epoch_moves_with_the_content_alone() {
    let clock = Frozen::new();
    let first = jwks("a");
    let tagged = first.clone();
    let server = Pretended::start(move |asked| match asked.headers.get("if-none-match") {
        Some(tag) if tag == "\"1\"" => says(304, &[], ""),
        _ => says(
            200,
            &[("etag", "\"1\""), ("cache-control", "max-age=60")],
            tagged.clone(),
        ),
    })
    .await;
    let keys = keys_at(&server, &clock);
    keys.prepare().await;
    let epoch = || keys.keys().unwrap().epoch();
    let before = epoch();
    clock.wait(60);
    keys.prepare().await;
    assert_eq!((server.count(), epoch()), (2, before), "not modified");
    // A 304 that names no lifetime leaves the old one as it was: sixty seconds, not ten minutes.
    clock.wait(60);
    server.answer(move |_| says(200, &[], first.clone()));
    keys.prepare().await;
    assert_eq!(
        (server.count(), epoch()),
        (3, before),
        "the same bytes without a tag"
    );
    let second = jwks("b");
    server.answer(move |_| says(200, &[], second.clone()));
    clock.wait(60);
    keys.prepare().await;
    assert_ne!(epoch(), before);
}

#[tokio::test]
async fn known_keys_outlive_a_sick_issuer_by_a_day_and_no_more() {
    let clock = Frozen::new();
    let set = jwks("a");
    let server = Pretended::start(move |_| says(200, &[], set.clone())).await;
    let keys = keys_at(&server, &clock);
    keys.prepare().await;
    server.answer(|_| says(503, &[], ""));
    clock.wait(600 + DAY);
    keys.prepare().await;
    assert!(knows(&keys, "a"));
    clock.wait(1);
    keys.prepare().await;
    assert_eq!(keys.keys().unwrap_err(), Error::KeysUnavailable);
}

#[tokio::test]
async fn a_clock_that_was_set_back_stops_nothing() {
    let clock = Frozen::new();
    let set = jwks("a");
    let server = Pretended::start(move |_| says(200, &[], set.clone())).await;
    let keys = keys_at(&server, &clock);
    keys.prepare().await;
    clock.set_back(3_600);
    keys.prepare().await;
    assert_eq!(server.count(), 2, "a set from the future is not fresh");
    clock.set_back(3_600);
    keys.refresh_for("b").await;
    assert_eq!(server.count(), 3);
}

#[tokio::test]
async fn an_issuer_that_never_answers_holds_up_its_first_callers_alone() {
    let clock = Frozen::new();
    let set = jwks("a");
    let server = Pretended::start(move |_| says(200, &[], set.clone())).await;
    let keys = keys_at(&server, &clock);
    keys.prepare().await;
    server.open(false);
    clock.wait(601);
    let callers = async {
        for _ in 0..1_000 {
            keys.prepare().await;
            assert!(knows(&keys, "a"));
        }
    };
    tokio::time::timeout(Duration::from_secs(3), callers)
        .await
        .unwrap();
}
