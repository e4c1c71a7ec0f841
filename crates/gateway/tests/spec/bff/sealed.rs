//! Sessions that the browser carries itself.

use std::time::Duration;

use futures_util::future::join_all;

use super::browser::Browser;
use super::world::{World, refused};
use crate::harness::mirror;

const MINUTE: Duration = Duration::from_secs(60);

/// Two replicas that share nothing but their keys.
async fn world() -> World {
    World::with(mirror().await, |text| {
        text.replace("sqlite_file = \"bff.db\"", "sealed = true")
    })
    .await
}

fn at(gateway: &crate::harness::Running, user: &Browser) -> Browser {
    Browser {
        gateway: gateway.address,
        ..user.clone()
    }
}

#[tokio::test]
async fn a_sealed_session_lives_at_every_replica_and_is_one_for_no_other_key() {
    let world = world().await;
    let other = world.replica().await;
    let mut user = world.user().await;
    for gateway in [&world.gateway, &other] {
        let mut user = at(gateway, &user);
        assert_eq!(user.call("GET", "/api").await.seen().header("cookie"), None);
        assert_eq!(user.call("GET", "/bff/user").await.json()["sub"], "user_1");
    }
    let parts: Vec<_> = user
        .cookies
        .iter()
        .filter(|(name, _)| name.contains("bff-"))
        .collect();
    assert!(
        parts.iter().all(|(name, value)| name.len() + value.len() <= 4096),
        "{}",
        parts.len()
    );
    // Nothing of it can be changed.
    let at = user
        .cookies
        .iter()
        .position(|(name, _)| name.contains("bff-"))
        .unwrap();
    let whole = user.cookies[at].1.clone();
    for broken in [
        whole[..whole.len() - 1].to_owned(),
        whole.replacen("1.", "2.", 1),
        whole[2..].to_owned(),
        String::new(),
    ] {
        user.cookies[at].1 = broken;
        assert_eq!(
            user.call("GET", "/api").await.refusal(),
            (401, "session_missing".to_owned())
        );
    }
}

#[tokio::test]
async fn a_sealed_session_that_was_refreshed_goes_on_at_the_other_replica_with_its_next_tokens() {
    let world = world().await;
    let other = world.replica().await;
    let mut user = world.user().await;
    let first = user.call("GET", "/api").await.seen().header("authorization");
    world.clock.wait(11 * MINUTE);
    let old = user.clone();
    let told = user.call("GET", "/api").await;
    let second = told.seen().header("authorization");
    assert!(first != second && !told.all("set-cookie").is_empty());
    assert_eq!(
        at(&other, &user)
            .call("GET", "/api")
            .await
            .seen()
            .header("authorization"),
        second
    );
    // Requests that were under way with the old cookie find the same at the replica that has asked.
    let calls = (0..20).map(|_| {
        let mut late = old.clone();
        async move { late.call("GET", "/api").await.seen().header("authorization") }
    });
    assert!(join_all(calls).await.iter().all(|token| *token == second));
    assert_eq!(world.issuer.refreshes(), 1);
    // Ahead of the end as well, the answer brings what comes.
    world.clock.wait(9 * MINUTE);
    let third = user.call("GET", "/api").await;
    assert!(third.seen().header("authorization") != second && !third.all("set-cookie").is_empty());
    assert_eq!(at(&other, &user).call("GET", "/api").await.status, 200);
    assert_eq!(world.issuer.refreshes(), 2);
}

#[tokio::test]
async fn two_replicas_that_ask_at_once_need_an_issuer_that_takes_a_token_twice() {
    for (grace, status) in [(true, 200), (false, 401)] {
        let world = world().await;
        world.issuer.manner(|how| how.grace = grace);
        let other = world.replica().await;
        let mut user = world.user().await;
        let mut there = at(&other, &user);
        world.clock.wait(11 * MINUTE);
        let told = user.call("GET", "/api").await;
        assert_eq!(told.status, 200);
        let late = there.call("GET", "/api").await;
        assert_eq!(late.status, status);
        assert_eq!(world.issuer.refreshes(), 2);
        // Whoever has the newest goes on, everywhere.
        assert_eq!(at(&other, &user).call("GET", "/api").await.status, 200);
    }
}

#[tokio::test]
async fn a_sealed_session_ends_with_its_logout_here_and_with_its_token_elsewhere() {
    let world = world().await;
    let other = world.replica().await;
    let mut user = world.user().await;
    let mut copy = user.clone();
    let mut elsewhere = at(&other, &user);
    assert_eq!(elsewhere.call("GET", "/api").await.status, 200);
    let told = user.call("POST", "/bff/logout").await;
    assert_eq!((told.status, user.session()), (200, None), "{told:?}");
    assert_eq!(world.issuer.revoked.lock().unwrap().as_slice(), ["rt-secret-2"]);
    assert_eq!(copy.call("GET", "/api").await.status, 401);
    // What docs/bff.md says of it: a cookie that was copied opens the other replica until its access token ends.
    assert_eq!(elsewhere.call("GET", "/api").await.status, 200);
    world.clock.wait(11 * MINUTE);
    assert_eq!(elsewhere.call("GET", "/api").await.status, 401);
    for (method, path) in [
        ("GET", "/bff/sessions"),
        ("DELETE", "/bff/sessions/x"),
        ("POST", "/bff/backchannel"),
    ] {
        assert_eq!(
            user.call(method, path).await.refusal(),
            (404, "route_unknown".to_owned()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_sealed_session_rests_and_ends_like_any_other() {
    let world = world().await;
    let mut user = world.user().await;
    let mut resting = user.clone();
    for _ in 0..3 {
        world.clock.wait(7 * 60 * MINUTE);
        assert_eq!(user.call("GET", "/bff/user").await.status, 200);
    }
    assert_eq!(resting.call("GET", "/bff/user").await.status, 401);
    world.clock.wait(7 * 24 * 60 * MINUTE);
    assert_eq!(user.call("GET", "/bff/user").await.status, 401);
    // A new login ends the one that was there.
    let mut user = world.user().await;
    let mut old = user.clone();
    assert_eq!(user.log_in(&world.issuer).await.status, 200);
    assert_eq!(old.call("GET", "/api").await.status, 401);
    assert_eq!(user.call("GET", "/api").await.status, 200);
}

#[tokio::test]
async fn a_sealed_session_has_three_cookies_at_most_and_is_refused_beyond() {
    for (bytes, parts) in [(5, 1), (1_500, 2), (2_500, 3), (6_000, 3)] {
        let world = world().await;
        world.issuer.manner(|how| how.name_bytes = bytes);
        let mut user = world.user().await;
        assert_eq!(user.call("GET", "/api").await.status, 200);
        let count = user
            .cookies
            .iter()
            .filter(|(name, _)| name.contains("bff-"))
            .count();
        assert!(count <= 3 && (bytes != 5 || count == parts), "{bytes}: {count}");
    }
    let world = world().await;
    crate::log::keep();
    world.issuer.manner(|how| how.name_bytes = 10_000);
    let mut user = world.browser();
    let told = user.log_in(&world.issuer).await;
    assert!(
        told.status == 502 && told.body.contains("session_too_large"),
        "{told:?}"
    );
    assert_eq!(user.session(), None);
    assert!(crate::log::lines().contains("session_too_large"));
    world.until_revoked("rt-secret-2").await;
}

#[tokio::test]
async fn a_sealed_session_that_the_issuer_has_ended_is_asked_about_once() {
    let world = world().await;
    world
        .issuer
        .manner(|how| how.trouble = Some((400, "invalid_grant")));
    for minutes in [11, 9] {
        let mut user = world.user().await;
        let asked = world.issuer.refreshes();
        let mut copy = user.clone();
        world.clock.wait(minutes * MINUTE);
        let told = user.call("GET", "/api").await;
        assert_eq!(told.refusal(), (401, "session_missing".to_owned()));
        assert_eq!((told.all("set-cookie").len(), user.session()), (3, None));
        for _ in 0..3 {
            assert_eq!(copy.call("GET", "/api").await.status, 401);
            assert_eq!(copy.call("GET", "/bff/user").await.status, 401);
        }
        assert_eq!(world.issuer.refreshes(), asked + 1);
    }
}

#[tokio::test]
async fn what_the_browser_carries_is_kept_nowhere_else() {
    let both = |text: String| text.replace("sqlite_file", "sealed = true\n    sqlite_file");
    assert_eq!(refused(both).await, "bff.sealed");
}
