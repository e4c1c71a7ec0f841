//! Spec tests of tokens that were made when tokens lived longer, or by a server on which they do: what was taken back stays so until they expire.

use std::time::Duration;

use carnet_oauth::revocation::RevocationKind;
use carnet_store::{Reason, Strength, TokenFacts};

use crate::harness::{ALICE, PASSWORD, Server, claims, minutes};
use crate::revocations::told;
use crate::web;

/// A server on which tokens live for so long.
async fn living(life: &str) -> Server {
    Server::with(&format!("[tokens]\naccess_ttl = {life:?}")).await
}

/// Another one, or the same started anew, over the same database.
async fn beside(server: &Server, life: &str) -> Server {
    let tokens = format!("[tokens]\naccess_ttl = {life:?}\n[first_party]");
    server.another(&[("[first_party]", &tokens)]).await
}

/// What every server that runs does once a minute, without the pages of all these minutes.
async fn time_passes(running: &[&Server], time: Duration) {
    running[0].wait(time).await;
    for server in running {
        server.app.say_token_life().await.unwrap();
        server.app.store.sweep(server.app_now(), 1_000).await.unwrap();
    }
}

/// Ends the session of a token, with the configuration of this server, as its commands do.
async fn ends(server: &Server, token: &str) {
    let sid = claims(token)["sid"].as_str().unwrap().to_owned();
    let cut = server.cut(Reason::Revoked);
    let ended = server.app.store.end_session(&sid, Strength::DenyList, None, &cut);
    ended.await.unwrap();
}

/// Whether the store takes it back, and whoever begins to follow the feed now.
async fn is_taken_back(server: &Server, token: &str) -> bool {
    let sid = claims(token)["sid"].as_str().unwrap().to_owned();
    let facts = TokenFacts {
        sid: Some(sid.clone()),
        ..TokenFacts::default()
    };
    let known = server.app.store.is_revoked(&facts).await.unwrap();
    let told = told(server, "").await.entries;
    let told = told
        .iter()
        .any(|entry| entry.kind == RevocationKind::Sid && entry.value == sid);
    known && told
}

#[tokio::test]
async fn a_token_stays_taken_back_until_it_expires_whatever_tokens_live_now() {
    let server = living("30m").await;
    // It has run for long.
    time_passes(&[&server], minutes(60 * 24 * 9)).await;
    let token = server.log_in(ALICE, PASSWORD).await.access;
    let short = beside(&server, "1m").await;
    time_passes(&[&short], minutes(2)).await;
    ends(&short, &token).await;
    for _ in 0..28 {
        assert!(is_taken_back(&short, &token).await, "{}", short.app.now_seconds());
        time_passes(&[&short], minutes(1)).await;
    }
    assert!(claims(&token)["exp"].as_u64().unwrap() <= short.app.now_seconds());
    // Nothing is kept for ever, and what is made now no longer than it lives.
    time_passes(&[&short], minutes(120)).await;
    assert!(!is_taken_back(&short, &token).await);
    let fresh = short.log_in(ALICE, PASSWORD).await.access;
    ends(&short, &fresh).await;
    time_passes(&[&short], minutes(3)).await;
    assert!(!is_taken_back(&short, &fresh).await);
}

#[tokio::test]
async fn a_token_of_a_longer_life_is_good_here_as_at_the_apis_until_its_client_gives_it_back() {
    let server = living("1h").await;
    let body = web::tokens(&server, "openid read:orders").await;
    let token = body["access_token"].as_str().unwrap();
    let short = beside(&server, "1m").await;
    time_passes(&[&short], minutes(16)).await;
    assert!(short.is_active(token).await);
    let fields = [("token", token)];
    let call = short.post("/oauth/revoke").basic("web", "web.secret");
    assert_eq!(call.form(&fields).send().await.status, 200);
    time_passes(&[&short], minutes(40)).await;
    assert!(!short.is_active(token).await);
    assert_eq!(told(&short, "").await.entries.len(), 1);
    time_passes(&[&short], minutes(5)).await;
    assert!(!short.is_active(token).await);
}

#[tokio::test]
async fn two_servers_with_different_files_remember_for_as_long_as_the_tokens_of_either_live() {
    let long = living("30m").await;
    let short = beside(&long, "1m").await;
    // Long after the other started.
    for _ in 0..5 {
        time_passes(&[&long, &short], minutes(60)).await;
    }
    let token = long.log_in(ALICE, PASSWORD).await.access;
    ends(&short, &token).await;
    time_passes(&[&short], minutes(29)).await;
    assert!(is_taken_back(&short, &token).await && is_taken_back(&long, &token).await);
    // And one that has only just started.
    let longest = beside(&short, "1h").await;
    let token = longest.log_in(ALICE, PASSWORD).await.access;
    ends(&short, &token).await;
    time_passes(&[&short], minutes(59)).await;
    assert!(is_taken_back(&short, &token).await);
}
