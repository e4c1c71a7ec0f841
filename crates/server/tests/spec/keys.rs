//! Spec tests of key rotation as clients see it.

use carnet_store::Reason;
use http::StatusCode;

use crate::browser::{Browser, answer, web_url};
use crate::harness::{ALICE, PASSWORD, Server, days, minutes};
use crate::web::{exchange, text};

async fn published(server: &Server) -> Vec<String> {
    let keys = server.get("/.well-known/jwks.json").send().await.json()["keys"]
        .as_array()
        .unwrap()
        .clone();
    keys.iter()
        .map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

pub(crate) fn kid(token: &str) -> String {
    carnet_jose::dangerous::decode(token).unwrap().header["kid"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn jk_02_a_key_is_published_before_it_signs_and_stays_until_its_last_token_has_expired() {
    let server = Server::start().await;
    let before = server.log_in(ALICE, PASSWORD).await;
    let old = kid(&before.access);
    assert_eq!(published(&server).await, std::slice::from_ref(&old));

    // Eleven minutes (cache time and skew) before the ninety days are over.
    server.wait(days(90) - minutes(11)).await;
    let both = published(&server).await;
    assert_eq!(both.len(), 2);
    let new = both.iter().find(|kid| **kid != old).unwrap().clone();
    let waiting = server.log_in(ALICE, PASSWORD).await;
    assert_eq!(kid(&waiting.access), old, "a staged key does not sign");

    server.wait(minutes(11)).await;
    let after = server.log_in(ALICE, PASSWORD).await;
    assert_eq!(kid(&after.access), new);
    assert_eq!(
        published(&server).await.len(),
        2,
        "a retiring key is still published"
    );
    assert!(
        server.is_active(&waiting.access).await,
        "what it signed is good until it expires"
    );

    server.wait(minutes(16)).await;
    assert_eq!(published(&server).await, [new]);
}

#[tokio::test]
async fn a_hint_is_believed_after_its_key_has_left_and_not_after_it_was_revoked() {
    let server = Server::start().await;
    server.wait(days(90) - minutes(20)).await;
    let browser = Browser::of(&server);
    let code = browser.code(&web_url("openid", &[])).await;
    let body = exchange(&server, &code).send().await.json();
    let hint = text(&body, "id_token").to_owned();
    for _ in 0..5 {
        server.wait(minutes(12)).await;
    }
    assert!(!published(&server).await.contains(&kid(&hint)));
    let silent = [("prompt", "none"), ("id_token_hint", hint.as_str())];
    let known = browser.get(&web_url("openid", &silent)).await;
    assert!(answer(&known).contains_key("code"), "{known:?}");
    let left = browser.get(&format!("/logout?id_token_hint={hint}")).await;
    assert!(!left.text().contains("id=\"logout-confirm\""), "{left:?}");

    let browser = Browser::of(&server);
    let code = browser.code(&web_url("openid", &[])).await;
    let body = exchange(&server, &code).send().await.json();
    let hint = text(&body, "id_token").to_owned();
    let cut = server.cut(Reason::Revoked);
    assert!(server.app.store.revoke_key(&kid(&hint), &cut).await.unwrap());
    server.wait(minutes(1)).await;
    let asked = browser.get(&format!("/logout?id_token_hint={hint}")).await;
    assert!(asked.text().contains("id=\"logout-confirm\""), "{asked:?}");
}

#[tokio::test]
async fn a_revoked_key_is_gone_at_once_with_everything_it_signed() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    let old = kid(&session.access);
    server
        .app
        .store
        .revoke_key(&old, &server.cut(Reason::Revoked))
        .await
        .unwrap();
    server.wait(std::time::Duration::ZERO).await;
    assert!(!published(&server).await.contains(&old));
    assert!(!server.is_active(&session.access).await);
    let next = crate::harness::Session::of(&server.refresh(&session.refresh).await);
    assert_ne!(kid(&next.access), old);
    assert_eq!(
        server.get("/auth/me").bearer(&next.access).send().await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn jk_07_two_nodes_that_rotate_at_once_elect_one_key() {
    let server = Server::start().await;
    server.clock.advance(days(90));
    let rounds = (0..20).map(|_| server.app.keep_keys());
    for round in futures_util::future::join_all(rounds).await {
        round.unwrap();
    }
    server.wait(std::time::Duration::ZERO).await;
    assert_eq!(published(&server).await.len(), 2, "one active and one staged");
}

#[tokio::test]
async fn keys_of_an_algorithm_that_left_the_configuration_serve_their_time_and_go() {
    let server = Server::with("[keys]\nalgorithms = [\"ES256\", \"Ed25519\"]").await;
    assert_eq!(published(&server).await.len(), 2);
    let one = server.restarted_with("[first_party]", "[first_party]").await;
    assert_eq!(published(&one).await.len(), 2);
    one.wait(days(90) - minutes(11)).await;
    assert_eq!(
        published(&one).await.len(),
        3,
        "only the wanted one has a successor"
    );
    one.wait(minutes(11)).await;
    one.wait(minutes(16)).await;
    assert_eq!(published(&one).await.len(), 1);
    assert!(one.app.keys.ready());
}

#[tokio::test]
async fn a_key_that_the_server_cannot_open_never_takes_over_and_holds_up_nothing() {
    use carnet_server::keys::{NewKey, stage};
    use carnet_server::master_key::MasterKeys;
    use carnet_store::KeyState;

    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let other = MasterKeys::load_or_create(&folder.path().join("other.key")).unwrap();
    let new = NewKey {
        algorithm: carnet_jose::Algorithm::Es256,
        state: KeyState::Staged,
        activates_at: server.app_now(),
    };
    let foreign = stage(&server.app.store, &other, new, server.app_now())
        .await
        .unwrap();
    assert!(server.app.keep_keys().await.is_err());
    let before = server.log_in(ALICE, PASSWORD).await;
    assert_ne!(kid(&before.access), foreign);
    // Nor does it keep a server from starting.
    let server = server.restarted_with("[first_party]", "[first_party]").await;

    // The key that signs is revoked all the same, at once, and so is the foreign one.
    let revoke = async |kid: &str| {
        let cut = server.cut(Reason::Revoked);
        server.app.store.revoke_key(kid, &cut).await.unwrap();
    };
    revoke(&kid(&before.access)).await;
    let _ = server.app.keep_keys().await;
    assert!(!published(&server).await.contains(&kid(&before.access)));
    assert!(!server.app.keys.ready());
    let refused = server.try_log_in(ALICE, PASSWORD).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.code(), "temporarily_unavailable");
    revoke(&foreign).await;
    server.app.keep_keys().await.unwrap();
    assert!(server.app.keys.ready());
    let after = server.log_in(ALICE, PASSWORD).await;
    assert!(server.is_active(&after.access).await);
}

#[tokio::test]
async fn whoever_revokes_the_key_that_signs_puts_another_in_its_place_in_the_same_moment() {
    let server = Server::start().await;
    let old = kid(&server.log_in(ALICE, PASSWORD).await.access);
    let keys = (
        Some(&server.app.master),
        server.app.config.keys.algorithms.as_slice(),
    );
    let revoke = async |kid: &str| {
        let cut = server.cut(Reason::Revoked);
        let revoked = carnet_server::keys::revoke(&server.app.store, keys, kid, &cut);
        revoked.await.unwrap()
    };
    assert!(revoke(&old).await);
    // What any server reads of it now, before it has done anything itself.
    let rows = server.app.store.signing_keys().await.unwrap();
    let living = rows.iter().filter(|row| row.sealed.is_some());
    let next: Vec<_> = living.map(|row| (row.kid.clone(), row.state)).collect();
    assert_eq!(next.len(), 1, "{next:?}");
    assert_eq!(next[0].1, carnet_store::KeyState::Active);
    server.wait(std::time::Duration::ZERO).await;
    assert_eq!(published(&server).await, [next[0].0.clone()]);
    assert_eq!(kid(&server.log_in(ALICE, PASSWORD).await.access), next[0].0);
    assert!(!revoke(&old).await);

    // One that is staged is known to caches already.
    server.wait(days(90) - minutes(11)).await;
    let both = published(&server).await;
    let staged = both.iter().find(|kid| **kid != next[0].0).unwrap();
    assert!(revoke(&next[0].0).await);
    server.wait(std::time::Duration::ZERO).await;
    assert_eq!(published(&server).await, std::slice::from_ref(staged));
    assert_eq!(kid(&server.log_in(ALICE, PASSWORD).await.access), *staged);
}

#[tokio::test]
async fn a_set_without_keys_is_never_published() {
    // RSA keys take their time: long enough to look meanwhile.
    let server = Server::with("[keys]\nalgorithms = [\"ES256\", \"RS256\"]").await;
    let cut = server.cut(Reason::Revoked);
    for old in published(&server).await {
        server.app.store.revoke_key(&old, &cut).await.unwrap();
    }
    let app = server.app.clone();
    let made = tokio::spawn(async move { app.keep_keys().await.unwrap() });
    let mut refused = 0;
    while !made.is_finished() {
        let reply = server.get("/.well-known/jwks.json").send().await;
        if reply.status == StatusCode::OK {
            assert_ne!(reply.json()["keys"], serde_json::json!([]));
        } else {
            assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{reply:?}");
            assert_eq!(reply.header("cache-control"), "no-store");
            assert_eq!(reply.header("retry-after"), "1");
            refused += 1;
        }
        tokio::task::yield_now().await;
    }
    assert!(refused > 0);
    made.await.unwrap();
    assert_eq!(published(&server).await.len(), 2);
}
