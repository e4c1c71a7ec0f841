//! Spec tests of tokens that outlived their session or their client, or have another's: what takes tokens back takes those as well, and tells.

use std::time::Duration;

use axum::body::Body;
use carnet_listen::PeerAddr;
use carnet_oauth::revocation::RevocationKind;
use carnet_store::{AuditAction, NewAudit, NewPassword, Reason, TokenFacts, UserState};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::harness::{ALICE, PASSWORD, Server, Session, claims, minutes, secret_of};
use crate::revocations::{FEED, reader};
use crate::token_exchange::{exchange, exchanged, lives};
use crate::web::{EVERYTHING, refresh, text, tokens};

/// A server on which a logout leaves the access token.
async fn lenient() -> Server {
    Server::with("[login]\nlogout_strength = \"refresh\"").await
}

/// The access token of a login that has ended, and lives.
async fn left(server: &Server) -> String {
    let session = server.log_in(ALICE, PASSWORD).await;
    let out = server.post("/auth/logout").cookie(&session.refresh);
    assert_eq!(out.send().await.status, StatusCode::NO_CONTENT);
    assert!(server.is_active(&session.access).await);
    session.access
}

async fn change_password(server: &Server, session: &Session, from: &str, to: &str) {
    let change = json!({ "old_password": from, "new_password": to });
    let reply = server
        .post("/auth/password")
        .bearer(&session.access)
        .json(&change);
    assert_eq!(reply.send().await.status, StatusCode::NO_CONTENT);
}

/// Whether those who follow the feed refuse it.
async fn is_told(server: &Server, token: &str) -> bool {
    is_told_of(server, &claims(token)).await
}

async fn is_told_of(server: &Server, claims: &Value) -> bool {
    let text = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
    let facts = TokenFacts {
        jti: text("jti"),
        sid: Some(text("sid")),
        fam: Some(text("fam")),
        sub: text("sub"),
        client_id: text("client_id"),
        kid: None,
        iat: claims["iat"].as_i64().unwrap(),
    };
    server.app.store.is_revoked(&facts).await.unwrap()
}

#[tokio::test]
async fn another_password_takes_back_the_tokens_of_sessions_that_had_ended() {
    let server = lenient().await;
    let before = left(&server).await;
    server.wait(minutes(1)).await;
    let here = server.log_in(ALICE, PASSWORD).await;
    let a_moment_ago = left(&server).await;
    change_password(&server, &here, PASSWORD, "another long enough passphrase").await;
    for dead in [&before, &a_moment_ago] {
        assert!(!server.is_active(dead).await);
        let me = server.get("/auth/me").bearer(dead).send().await;
        assert_eq!(me.status, StatusCode::UNAUTHORIZED);
    }
    assert!(server.is_active(&here.access).await, "the session that was kept");
    let again = server.log_in(ALICE, "another long enough passphrase").await;
    assert!(server.is_active(&again.access).await, "in the same second");
}

#[tokio::test]
async fn a_password_that_an_operator_sets_takes_back_the_tokens_of_sessions_that_had_ended() {
    let server = lenient().await;
    let before = left(&server).await;
    server.wait(minutes(14)).await;
    let sub = server.user(ALICE).await.sub;
    let cut = server.cut(Reason::PasswordChanged);
    let new = NewPassword::given(&sub, "$2b$12$nobody".to_owned());
    assert!(server.app.store.set_password(&new, &cut).await.unwrap());
    assert!(!server.is_active(&before).await);
    // As long as it could have lived, and no longer.
    let entries = server.app.store.revocations_since(0, 9).await.unwrap();
    assert_eq!(entries.len(), 2);
    let life = server.app.entry_ttl_ms() - minutes(14).as_millis() as i64;
    assert_eq!(entries[0].expires, server.app_now() + life);
}

#[tokio::test]
async fn what_ends_a_users_tokens_ends_those_of_a_session_that_ended_in_the_same_second() {
    let server = lenient().await;
    let alice = server.user(ALICE).await;
    let revoked = left(&server).await;
    let cut = server.cut(Reason::Revoked);
    let ended = server.app.store.revoke_user((alice.id, &alice.sub), &cut).await;
    ended.unwrap();
    assert!(!server.is_active(&revoked).await);
    let again = server.log_in(ALICE, PASSWORD).await;
    assert!(
        server.is_active(&again.access).await,
        "a login in the same second"
    );
    assert!(!is_told(&server, &again.access).await);

    let disabled = left(&server).await;
    server.set_state(ALICE, UserState::Disabled).await;
    assert!(is_told(&server, &disabled).await);
    assert!(is_told(&server, &again.access).await);
    server.set_state(ALICE, UserState::Active).await;
    let back = server.log_in(ALICE, PASSWORD).await;
    assert!(
        !is_told(&server, &back.access).await,
        "and back in the same second"
    );
    // What was on its way when its session ended, and is of this second.
    let ended = left(&server).await;
    server.wait(Duration::from_secs(4)).await;
    server.set_state(ALICE, UserState::Disabled).await;
    let mut late = claims(&ended);
    late["jti"] = json!("another");
    late["iat"] = json!(server.app.now_seconds());
    assert!(is_told_of(&server, &late).await);
}

#[tokio::test]
async fn what_an_api_got_for_a_user_by_exchange_ends_in_the_second_in_which_it_was_made() {
    let server = Server::start().await;
    let alice = server.user(ALICE).await;
    let own = text(&tokens(&server, EVERYTHING).await, "access_token").to_owned();
    let answer = exchanged(&server, &own).await;
    let got = text(&answer, "access_token");
    assert!(lives(&server, got).await);
    let cut = server.cut(Reason::Revoked);
    let store = &server.app.store;
    let ended = store
        .withdraw_with_exchanged((alice.id, &alice.sub), "orders", &cut)
        .await;
    ended.unwrap();
    assert!(!lives(&server, got).await);
    assert!(is_told(&server, got).await);
    assert!(
        server.is_active(&own).await,
        "the session behind it is another client's"
    );

    // What would be dead from the start is not made; a moment later all is well.
    server.wait(Duration::from_millis(500)).await;
    let early = exchange(&server, &own, &[]).await;
    assert_eq!(early.status, StatusCode::SERVICE_UNAVAILABLE, "{early:?}");
    assert_eq!(early.header("retry-after"), "1");
    server.wait(Duration::from_secs(1)).await;
    let again = exchanged(&server, &own).await;
    assert!(lives(&server, text(&again, "access_token")).await);
}

#[tokio::test]
async fn media_types_are_compared_whole_and_in_any_letters() {
    let server = Server::start().await;
    let kind = async |accept: &'static str| {
        let secret = secret_of("orders.secret");
        let basic = data_encoding::BASE64.encode(format!("orders-api:{secret}").as_bytes());
        let request = Request::get(FEED)
            .header("host", "auth.example.com")
            .header("authorization", format!("Basic {basic}"))
            .header("accept", accept)
            .extension(PeerAddr::Tcp(([127, 0, 0, 1], 4711).into()))
            .body(Body::empty())
            .unwrap();
        // A stream has no end: its head alone.
        let router = carnet_server::router(server.app.clone());
        let response = router.oneshot(request).await.unwrap();
        response.headers()["content-type"].to_str().unwrap().to_owned()
    };
    for accept in [
        "text/event-stream",
        "TEXT/Event-Stream",
        "application/json, text/event-stream;q=0.5",
    ] {
        assert_eq!(kind(accept).await, "text/event-stream", "{accept}");
    }
    for accept in [
        "text/event-streamfoo",
        "*/*",
        "text/event-stream;q=0, application/jwt",
        "application/jwt;of=text/event-stream",
    ] {
        assert_eq!(kind(accept).await, "application/jwt", "{accept}");
    }
}

#[tokio::test]
async fn a_client_that_left_the_configuration_file_is_told_at_the_next_start() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    let body = tokens(&server, "openid read:orders").await;
    let token = text(&body, "access_token");
    let mut first = reader(&server).await;
    let same = server.another(&[]).await;
    assert_eq!(first.next().await, [], "nothing has changed");

    let renamed = ("id = \"web\"", "id = \"shop\"");
    let without = same.another(&[renamed]).await;
    let gone = (RevocationKind::Client, "web".to_owned());
    assert_eq!(first.next().await, std::slice::from_ref(&gone));
    let entry = first.last.entries[0].clone();
    assert_eq!(entry.issued_before, claims(token)["iat"].as_i64());
    assert!(!without.is_active(token).await);
    assert!(without.is_active(&session.access).await);

    // Another node ran with the old file until now.
    server.wait(minutes(20)).await;
    let late = tokens(&server, "openid read:orders").await;
    without.another(&[renamed]).await;
    assert_eq!(first.next().await, [gone]);
    let iat = claims(text(&late, "access_token"))["iat"].as_i64();
    assert_eq!(first.last.entries[0].issued_before, iat);
    server.wait(minutes(2 * 24 * 60)).await;
    without.another(&[renamed]).await;
    without.another(&[renamed]).await;
    assert_eq!(first.next().await, [], "long gone");

    // It comes back, and so do its tokens.
    let back = without.another(&[]).await;
    let body = tokens(&back, "openid read:orders").await;
    assert!(back.is_active(text(&body, "access_token")).await);
    assert_eq!(first.next().await, [(RevocationKind::Client, "shop".to_owned())]);
}

/// One round of every server that runs, once a minute.
async fn rounds(running: &[&Server], minutes: u64) {
    for _ in 0..minutes {
        running[0].wait(Duration::from_secs(60)).await;
        for server in running {
            server.app.end_unserved_clients().await.unwrap();
        }
    }
}

#[tokio::test]
async fn refresh_tokens_end_an_hour_after_the_last_server_that_has_their_client_in_its_file() {
    let server = Server::start().await;
    let kept = server.log_in(ALICE, PASSWORD).await;
    let body = tokens(&server, "openid read:orders").await;
    let resting = text(&tokens(&server, "openid read:orders").await, "refresh_token").to_owned();
    let mut first = reader(&server).await;
    let without = server.another(&[("id = \"web\"", "id = \"shop\"")]).await;
    let gone = (RevocationKind::Client, "web".to_owned());
    assert_eq!(first.next().await, std::slice::from_ref(&gone));

    // The one that has it still goes on, however long.
    rounds(&[&server, &without], 90).await;
    assert_eq!(first.next().await, []);
    let body = refresh(&server, text(&body, "refresh_token"), &[]).await.json();
    // It goes as well, or is restarted with the new file.
    rounds(&[&without], 59).await;
    let late = server.another(&[]).await;
    assert_eq!(first.next().await, [(RevocationKind::Client, "shop".to_owned())]);
    let body = refresh(&late, text(&body, "refresh_token"), &[]).await.json();
    server.another(&[("id = \"web\"", "id = \"shop\"")]).await;
    assert_eq!(first.next().await, std::slice::from_ref(&gone));
    rounds(&[&without], 61).await;
    assert_eq!(
        first.next().await,
        std::slice::from_ref(&gone),
        "once more, for good"
    );
    let audit = server.audit().await.into_iter().map(|row| row.event);
    let ended = audit.filter(|event| event.action == AuditAction::ClientDelete && event.object == "web");
    assert_eq!(ended.filter(|event| event.actor == "system").count(), 3);
    rounds(&[&without], 61).await;
    assert_eq!(first.next().await, [], "it is forgotten");

    // It comes back, with nothing of what it had.
    let back = without.another(&[]).await;
    for token in [resting.as_str(), text(&body, "refresh_token")] {
        let refused = refresh(&back, token, &[]).await;
        assert_eq!(refused.json()["error"], "invalid_grant");
    }
    let fresh = tokens(&back, "openid read:orders").await;
    assert!(back.is_active(text(&fresh, "access_token")).await);
    assert_eq!(back.refresh(&kept.refresh).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_client_that_moved_from_the_file_to_the_store_keeps_its_refresh_tokens() {
    let server = Server::start().await;
    let body = tokens(&server, "openid read:orders").await;
    let without = server.another(&[("id = \"web\"", "id = \"shop\"")]).await;
    let audit = NewAudit::success("cli", AuditAction::ClientCreate, "web");
    let added = without
        .app
        .store
        .add_client(("web", "{}"), None, (server.app_now(), &audit));
    added.await.unwrap();
    rounds(&[&without], 61).await;
    let back = without.another(&[]).await;
    let refreshed = refresh(&back, text(&body, "refresh_token"), &[]).await;
    assert_eq!(refreshed.status, StatusCode::OK, "{refreshed:?}");
}
