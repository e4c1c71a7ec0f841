//! Keys that are kept: fresh while nobody calls, and on the disk.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use carnet_client::http::HttpClient;
use carnet_client::jwks::{Location, RemoteKeys};
use carnet_client::keeper;
use carnet_jose::{Algorithm, Error, KeySource as _};

use crate::pretended::{Frozen, Pretended, jwks, keys_at, knows, says, until};

const DAY: u64 = 86_400;

#[tokio::test]
async fn keys_are_asked_for_while_nobody_calls() {
    let clock = Frozen::new();
    let set = jwks("a");
    let server = Pretended::start(|_| says(500, &[], "")).await;
    let keys = keys_at(&server, &clock);
    // From here on tokio's time stands still until it is moved.
    tokio::time::pause();
    keeper::keep(&keys);
    pass(3, &clock).await;
    server.is_asked(1).await;
    until(|| keys.health().failures == 1).await;
    server.answer(move |_| says(200, &[("cache-control", "max-age=600")], set.clone()));
    pass(10, &clock).await;
    until(|| keys.is_loaded()).await;
    let asked = server.count();
    for _ in 0..7 {
        pass(60, &clock).await;
    }
    assert_eq!(server.count(), asked, "fresh until four fifths of its life");
    pass(60, &clock).await;
    pass(60, &clock).await;
    server.is_asked(asked + 1).await;
}

/// Lets time pass for everybody.
async fn pass(seconds: u64, clock: &Frozen) {
    clock.wait(seconds);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    tokio::time::advance(Duration::from_secs(seconds)).await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn jk_04_a_hundred_thousand_random_kids_in_a_minute_cost_three_fetches() {
    let clock = Frozen::new();
    let set = jwks("a");
    let server = Pretended::start(move |_| says(200, &[], set.clone())).await;
    let keys = keys_at(&server, &clock);
    keys.prepare().await;
    for kid in 0..100_000 {
        if kid % 1_667 == 0 {
            clock.wait(1);
        }
        keys.refresh_for(&format!("x{kid}")).await;
    }
    assert!(server.count() <= 3, "{}", server.count());
    assert!(knows(&keys, "a"), "good keys are not pushed out");
}

fn keys_with(server: &Pretended, clock: &Frozen, file: &Path) -> Arc<RemoteKeys> {
    let location = Location::Jwks(format!("{}/jwks", server.url));
    let http = HttpClient::new().unwrap();
    let keys = RemoteKeys::with_clock(http, location, &[Algorithm::Es256], clock.clone());
    Arc::new(keys.with_snapshot(file))
}

#[tokio::test]
async fn keys_on_the_disk_are_used_for_a_day_and_replaced_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let clock = Frozen::new();
    let set = jwks("a");
    let server = Pretended::start(move |_| says(200, &[], set.clone())).await;
    keys_with(&server, &clock, &file).prepare().await;
    until(|| file.exists()).await;
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    server.answer(|_| says(500, &[], ""));
    clock.wait(DAY);
    let later = keys_with(&server, &clock, &file);
    assert!(knows(&later, "a"), "before anything is fetched");
    let asked = server.count();
    for _ in 0..100 {
        later.prepare().await;
    }
    server.is_asked(asked + 1).await;
    assert_eq!(
        server.count(),
        asked + 1,
        "an issuer that is down is not hammered"
    );
    clock.wait(1);
    let too_late = keys_with(&server, &clock, &file);
    assert_eq!(too_late.keys().unwrap_err(), Error::KeysUnavailable);
    // A set that was withdrawn meanwhile goes with the first answer.
    clock.set_back(DAY);
    let new = jwks("b");
    server.answer(move |_| says(200, &[], new.clone()));
    let back = keys_with(&server, &clock, &file);
    assert!(knows(&back, "a"));
    back.prepare().await;
    until(|| knows(&back, "b") && !knows(&back, "a")).await;
}

#[tokio::test]
async fn keys_on_the_disk_that_anybody_could_have_written_are_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let clock = Frozen::new();
    let set = jwks("a");
    let server = Pretended::start(move |_| says(200, &[], set.clone())).await;
    keys_with(&server, &clock, &file).prepare().await;
    until(|| file.exists()).await;
    let good = std::fs::read_to_string(&file).unwrap();
    let loaded = |server: &Pretended, clock: &Frozen| keys_with(server, clock, &file).is_loaded();
    assert!(loaded(&server, &clock));
    for mode in [0o622, 0o620, 0o602, 0o666] {
        std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        assert!(!loaded(&server, &clock), "{mode:o}");
    }
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let other = Pretended::start(|_| says(500, &[], "")).await;
    assert!(!loaded(&other, &clock), "another issuer's");
    clock.set_back(60);
    assert!(!loaded(&server, &clock), "from the future");
    clock.wait(60);
    for bad in [
        String::new(),
        "{}".to_owned(),
        "[".repeat(100_000),
        good[..good.len() / 2].to_owned(),
        good.replace("EC", "oct"),
        "x".repeat(5_000_000),
    ] {
        std::fs::write(&file, &bad).unwrap();
        assert!(!loaded(&server, &clock), "{:.40}", bad);
    }
    std::fs::write(&file, &good).unwrap();
    assert!(loaded(&server, &clock));
}
