//! Access tokens that end: one question to the issuer, whoever waits for it.

use std::time::Duration;

use futures_util::future::join_all;

use super::browser::{Browser, SECRETS};
use super::world::World;
use crate::harness::{mirror, soon};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_token_is_renewed_ahead_of_its_end_and_nobody_waits() {
    let world = World::new().await;
    let mut user = world.user().await;
    world.clock.wait(8 * MINUTE);
    let first = user.call("GET", "/api").await.seen().header("authorization");
    assert_eq!(world.issuer.refreshes(), 0);
    world.clock.wait(MINUTE);
    // The old one still counts; the next is asked for beside it.
    assert_eq!(
        user.call("GET", "/api").await.seen().header("authorization"),
        first
    );
    let other = soon(async {
        loop {
            let now = user.call("GET", "/api").await.seen().header("authorization");
            if now != first {
                return now;
            }
        }
    })
    .await;
    assert!(other.is_some());
    assert_eq!(world.issuer.refreshes(), 1);
}

#[tokio::test]
async fn a_session_that_the_issuer_has_ended_is_over() {
    let world = World::new().await;
    let mut user = world.user().await;
    world
        .issuer
        .manner(|how| how.trouble = Some((400, "invalid_grant")));
    world.clock.wait(11 * MINUTE);
    assert_eq!(
        user.call("GET", "/api").await.refusal(),
        (401, "session_missing".to_owned())
    );
    assert_eq!(user.call("GET", "/bff/user").await.status, 401);
    assert_eq!(world.issuer.refreshes(), 1);
}

#[tokio::test]
async fn an_issuer_in_trouble_logs_nobody_out() {
    let world = World::new().await;
    let mut user = world.user().await;
    for (status, error) in [
        (503, "temporarily_unavailable"),
        (401, "invalid_client"),
        (429, "slow_down"),
    ] {
        world.issuer.manner(|how| how.trouble = Some((status, error)));
        world.clock.wait(11 * MINUTE);
        let told = user.call("GET", "/api").await;
        assert_eq!(
            told.refusal(),
            (503, "temporarily_unavailable".to_owned()),
            "{error}"
        );
        assert_eq!(told.one("retry-after"), "5");
        let asked = world.issuer.refreshes();
        assert_eq!(user.call("GET", "/api").await.status, 503);
        assert_eq!(
            world.issuer.refreshes(),
            asked,
            "it is left alone for five seconds"
        );
        assert_eq!(user.call("GET", "/bff/user").await.status, 200);
        world.clock.wait(Duration::from_secs(5));
        world.issuer.manner(|how| how.trouble = None);
        assert_eq!(user.call("GET", "/api").await.status, 200);
    }
    // A token that still lives is served meanwhile.
    world.issuer.manner(|how| how.trouble = Some((500, "")));
    world.clock.wait(9 * MINUTE);
    assert_eq!(user.call("GET", "/api").await.status, 200);
    assert_eq!(user.call("GET", "/api").await.status, 200);
}

#[tokio::test]
async fn a_session_that_the_issuer_does_not_renew_holds_up_nobody_else() {
    let world = World::new().await;
    let mut user = world.user().await;
    let mut other = world.user().await;
    world.clock.wait(11 * MINUTE);
    world
        .issuer
        .manner(|how| how.trouble = Some((400, "invalid_scope")));
    for _ in 0..3 {
        let told = user.call("GET", "/api").await;
        assert_eq!(told.refusal(), (503, "temporarily_unavailable".to_owned()));
    }
    assert_eq!(world.issuer.refreshes(), 1, "it is asked once in five seconds");
    world.issuer.manner(|how| how.trouble = None);
    assert_eq!(other.call("GET", "/api").await.status, 200);
    world
        .issuer
        .manner(|how| how.trouble = Some((400, "invalid_scope")));
    world.clock.wait(Duration::from_secs(5));
    assert_eq!(user.call("GET", "/api").await.status, 503);
    assert_eq!(world.issuer.refreshes(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_requests_at_two_replicas_on_an_expired_session_are_one_refresh() {
    one_refresh(World::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_requests_at_two_replicas_that_share_a_redis_are_one_refresh() {
    one_refresh(World::in_redis(mirror().await, |text| text).await).await;
}

async fn one_refresh(world: World) {
    let other = world.replica().await;
    let user = world.user().await;
    world.clock.wait(11 * MINUTE);
    // Eight seconds: a lease that is not renewed would have ended twice.
    world.issuer.manner(|how| how.slow = 8);
    let calls = (0..200).map(|n| {
        let gateway = if n % 2 == 0 {
            world.gateway.address
        } else {
            other.address
        };
        let mut user = Browser {
            gateway,
            ..user.clone()
        };
        tokio::spawn(async move { user.call("GET", "/api").await })
    });
    let told = join_all(calls).await;
    let tokens = told
        .into_iter()
        .map(|told| told.unwrap().seen().header("authorization").unwrap());
    let tokens: std::collections::BTreeSet<String> = tokens.collect();
    assert_eq!((tokens.len(), world.issuer.refreshes()), (1, 1));
}

#[tokio::test]
async fn a_replica_that_dies_while_it_asks_is_followed_by_another_before_the_issuer_calls_it_theft() {
    let world = World::new().await;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let dying = world.replica_on(&runtime).await;
    let mut user = world.user().await;
    let mut there = Browser {
        gateway: dying.address,
        ..user.clone()
    };
    world.clock.wait(11 * MINUTE);
    world.issuer.manner(|how| how.slow = 60);
    let call = tokio::spawn(async move { there.call("GET", "/api").await });
    soon(async {
        while world.issuer.refreshes() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    runtime.shutdown_background();
    call.abort();
    world.issuer.manner(|how| how.slow = 0);
    // Well within the ten seconds in which an issuer takes the same token again.
    world.clock.wait(Duration::from_secs(5));
    assert_eq!(user.call("GET", "/api").await.status, 200);
    assert_eq!(world.issuer.refreshes(), 2);
}

#[tokio::test]
async fn a_browser_that_hangs_up_loses_nothing() {
    let world = World::new().await;
    let mut user = world.user().await;
    world.clock.wait(11 * MINUTE);
    world.issuer.manner(|how| how.slow = 1);
    let mut hasty = user.clone();
    let call = tokio::spawn(async move { hasty.call("GET", "/api").await });
    soon(async {
        while world.issuer.refreshes() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    call.abort();
    assert_eq!(user.call("GET", "/api").await.status, 200);
    assert_eq!(world.issuer.refreshes(), 1);
}

#[tokio::test]
async fn what_comes_for_a_session_that_was_ended_meanwhile_is_given_back() {
    let world = World::new().await;
    let mut user = world.user().await;
    world.clock.wait(11 * MINUTE);
    world.issuer.manner(|how| how.slow = 1);
    let mut waiting = user.clone();
    let call = tokio::spawn(async move { waiting.call("GET", "/api").await });
    soon(async {
        while world.issuer.refreshes() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(user.call("POST", "/bff/logout").await.status, 200);
    assert_eq!(call.await.unwrap().status, 401);
    let revoked = world.issuer.revoked.lock().unwrap().clone();
    assert_eq!(revoked, ["rt-secret-2", "rt-secret-3"]);
}

#[tokio::test]
async fn neither_the_database_nor_its_file_shows_a_token() {
    let world = World::new().await;
    let mut user = world.user().await;
    world.clock.wait(11 * MINUTE);
    assert_eq!(user.call("GET", "/api").await.status, 200);
    let cookie = user.session().unwrap();
    let mut looked = 0;
    for entry in std::fs::read_dir(world.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().contains("bff.db") {
            let bytes = std::fs::read(&path).unwrap();
            for secret in SECRETS.into_iter().chain([cookie]) {
                let found = bytes
                    .windows(secret.len())
                    .any(|window| window == secret.as_bytes());
                assert!(!found, "{secret} in {}", path.display());
            }
            looked += bytes.len();
        }
    }
    assert!(looked > 4096);
}
