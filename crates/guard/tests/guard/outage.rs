//! Issuers that are down, and keys that outlive it.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use carnet_guard::testing::TestGateway;
use carnet_guard::{Guard, Introspection, Issuer, ResourceServer};
use http::StatusCode;

use crate::api::{API, with_token};
use crate::issuers::{Frozen, Key, Pretended};
use crate::service_issuer::{self, HINT, Other, TTL, call};

async fn guard_of(issuer: Issuer, clock: &Frozen) -> Guard {
    let server = ResourceServer::new(API).issuer(issuer);
    server.clock(clock.clone()).build().await.unwrap()
}

#[tokio::test]
async fn row_03_an_hour_without_the_issuer_fails_nobody_whose_key_is_known() {
    let (key, clock) = (Key::new("a"), Frozen::new());
    let issuer = Pretended::start(&[&key]).await;
    let guard = guard_of(Issuer::discover(&issuer.url), &clock).await;
    let token = issuer.token(&key, &clock);
    issuer.switches.down.store(true, Ordering::SeqCst);
    for second in 0..3_600 {
        clock.wait(1);
        let answer = with_token(&guard, "/me", &token).await;
        assert_eq!(answer.status, StatusCode::OK, "after {second} seconds");
    }
    // Nobody is hammered meanwhile: from the 480th second on, one attempt in 30 seconds.
    assert!(issuer.asked() <= 1 + 3_600 / 30, "{}", issuer.asked());
    let [health] = guard.health().try_into().unwrap();
    assert_eq!(health.issuer, issuer.url);
    assert_eq!((health.loaded, health.keys), (true, 1));
    assert_eq!(health.age.map(|age| age.as_secs()), Some(3_600));
    assert!(
        health.failures > 50 && health.fetches == health.failures + 1,
        "{health:?}"
    );
    issuer.switches.down.store(false, Ordering::SeqCst);
    clock.wait(30);
    assert_eq!(with_token(&guard, "/me", &token).await.status, StatusCode::OK);
    while guard.health()[0].age.is_some_and(|age| age.as_secs() > 60) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn row_02_a_rotation_fails_nobody() {
    let (old, new, clock) = (Key::new("a"), Key::new("b"), Frozen::new());
    let issuer = Pretended::start(&[&old]).await;
    let guard = guard_of(Issuer::discover(&issuer.url), &clock).await;
    issuer.publish(&[&old, &new]);
    clock.wait(31);
    for key in [&new, &old, &new] {
        let token = issuer.token(key, &clock);
        assert_eq!(with_token(&guard, "/me", &token).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn row_03_a_program_that_starts_while_the_issuer_is_down_knows_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let (key, clock) = (Key::new("a"), Frozen::new());
    let issuer = Pretended::start(&[&key]).await;
    let with_snapshot = || Issuer::discover(&issuer.url).snapshot(&file);
    let first = guard_of(with_snapshot(), &clock).await;
    while !file.exists() {
        tokio::task::yield_now().await;
    }
    drop(first);
    issuer.switches.down.store(true, Ordering::SeqCst);
    clock.wait(3_600);
    let token = issuer.token(&key, &clock);
    let second = guard_of(with_snapshot(), &clock).await;
    assert!(second.ready());
    assert_eq!(with_token(&second, "/me", &token).await.status, StatusCode::OK);
    // Without it there is nothing to check with.
    let third = guard_of(Issuer::discover(&issuer.url), &clock).await;
    assert_eq!(
        with_token(&third, "/me", &token).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn health_names_every_issuer_and_what_is_known_of_its_keys() {
    let (key, clock) = (Key::new("a"), Frozen::new());
    let (up, down) = (Pretended::start(&[&key]).await, Pretended::start(&[&key]).await);
    down.switches.down.store(true, Ordering::SeqCst);
    let introspection = Introspection::at("https://opaque.test/introspect", "api", "s");
    let guard = ResourceServer::new(API)
        .issuer(Issuer::opaque("https://opaque.test", introspection))
        .issuer(Issuer::discover(&up.url))
        .issuer(Issuer::discover(&down.url));
    let guard = guard.clock(clock.clone()).build().await.unwrap();
    clock.wait(7);
    let [first, second, third] = guard.health().try_into().unwrap();
    assert_eq!((first.issuer, second.issuer), (up.url.clone(), down.url.clone()));
    assert_eq!(
        (first.loaded, first.keys, first.fetches, first.failures),
        (true, 1, 1, 0)
    );
    assert_eq!(first.age.map(|age| age.as_secs()), Some(7));
    assert_eq!((second.loaded, second.keys, second.age), (false, 0, None));
    assert!(second.failures >= 1);
    assert_eq!(
        (third.issuer.as_str(), third.loaded),
        ("https://opaque.test", true)
    );
    assert!(!guard.ready());
}

#[tokio::test]
async fn services_are_known_where_none_has_called_for_hours() {
    let issuer = service_issuer::Issuer::start().await;
    let orders = Other::new("orders", &["billing"]);
    issuer.publish(1, &[&orders]);
    let guard = issuer.guard(issuer.services()).await;
    nobody_calls_for_hours(&issuer, &orders).await;
    assert!(guard.ready());
    issuer.switches.down.store(true, Ordering::SeqCst);
    let called = call(&guard, "/close", &issuer.signs_as(&orders)).await;
    assert_eq!(called.0, StatusCode::OK);
}

#[tokio::test]
async fn a_service_behind_a_gateway_becomes_ready_without_a_caller() {
    let issuer = service_issuer::Issuer::start().await;
    let orders = Other::new("orders", &["billing"]);
    issuer.switches.down.store(true, Ordering::SeqCst);
    let gateway = TestGateway::with_clock(issuer.clock.clone());
    let behind = gateway.in_front_of("billing").services(issuer.services());
    let guard = behind.build().await.unwrap();
    assert!(!guard.ready());
    issuer.switches.down.store(false, Ordering::SeqCst);
    nobody_calls_for_hours(&issuer, &orders).await;
    assert!(guard.ready());
}

/// Longer than a bundle is good for. Somebody asks for it all the same.
async fn nobody_calls_for_hours(issuer: &service_issuer::Issuer, orders: &Other) {
    // From here on tokio's time stands still until it is moved.
    tokio::time::pause();
    let deadline = Instant::now() + Duration::from_secs(60);
    for _ in 0..=TTL / HINT {
        let asked = issuer.asked();
        issuer.publish(1, &[orders]);
        issuer.clock.wait(HINT);
        while issuer.asked() == asked {
            assert!(Instant::now() < deadline, "nobody asks for the bundle");
            tokio::time::advance(Duration::from_secs(1)).await;
            // What is under way is let come.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }
    }
    tokio::time::resume();
}
