//! Spec tests of the revocation feed, message by message: who may read it, what is told, and what a message is (GW-13, LO-04, IR-07).

use carnet_jose::{Algorithm, KeySet, TokenType, Verifier};
use carnet_oauth::revocation::{Revocation, RevocationKind, RevocationMessage, TYPE};
use carnet_store::{ClientState, Cut, Reason, UserState};
use http::StatusCode;
use serde_json::json;

use crate::browser::{Browser, web_url};
use crate::harness::{ALICE, PASSWORD, Reply, Server, Session, claims, minutes};
use crate::keys::kid;
use crate::web::{exchange, text, tokens};

pub(crate) const FEED: &str = "/revocations";

pub(crate) async fn ask(server: &Server, query: &str) -> Reply {
    let call = server.get(&format!("{FEED}{query}"));
    call.basic("orders-api", "orders.secret").send().await
}

pub(crate) fn read(token: &str) -> RevocationMessage {
    serde_json::from_value(claims(token)).unwrap()
}

/// The message behind a query.
pub(crate) async fn told(server: &Server, query: &str) -> RevocationMessage {
    let reply = ask(server, query).await;
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (StatusCode::OK, "application/jwt"),
        "{reply:?}"
    );
    read(std::str::from_utf8(&reply.body).unwrap())
}

pub(crate) fn behind(message: &RevocationMessage) -> String {
    format!("?since={}&epoch={}", message.cursor, message.epoch)
}

#[tokio::test]
async fn ir_01_nobody_reads_the_feed_without_credentials() {
    let server = Server::start().await;
    let token = server.log_in(ALICE, PASSWORD).await.access;
    for reply in [
        server.get(FEED).send().await,
        server.get(FEED).bearer(&token).send().await,
        server.get(FEED).basic_exactly("orders-api", "guess").send().await,
        server.get(FEED).basic("web", "web.secret").send().await,
        server
            .get(FEED)
            .header("accept", "text/event-stream")
            .send()
            .await,
    ] {
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{reply:?}");
        assert_eq!(reply.json()["error"], "invalid_client");
        assert_eq!(reply.header("www-authenticate"), "Basic realm=\"carnet\"");
    }
}

#[tokio::test]
async fn a_message_is_signed_typed_and_for_one_consumer() {
    let server = Server::start().await;
    let jwks = server.get("/.well-known/jwks.json").send().await.body;
    let keys = KeySet::from_jwks_json(&jwks, &[Algorithm::Es256]).unwrap().set;
    let keys = std::sync::Arc::new(keys);
    let verifier = |typ, consumer: &str| {
        Verifier::builder(keys.clone())
            .algorithms(&[Algorithm::Es256])
            .token_type(typ)
            .issuer("https://auth.example.com")
            .audience(consumer)
            .without_expiry_check()
            .build()
            .unwrap()
    };
    let reply = ask(&server, "").await;
    assert_eq!(reply.header("cache-control"), "no-store");
    let token = std::str::from_utf8(&reply.body).unwrap();
    let now = server.app.now_seconds();
    let verify = |typ, consumer| {
        let verified = verifier(typ, consumer).verify_owned::<RevocationMessage>(token, now);
        verified.map(|verified| verified.claims)
    };
    let message = verify(TokenType::Other(TYPE), "orders-api").unwrap();
    assert_eq!((message.iat, message.since, message.cursor), (now, 0, 0));
    assert!(verify(TokenType::Other(TYPE), "legacy-api").is_err());
    // RFC 8725 §3.11: it can be taken for no other token, nor another one for it.
    for other in [
        TokenType::AccessToken,
        TokenType::IdToken,
        TokenType::Other("logout+jwt"),
    ] {
        assert!(verify(other, "orders-api").is_err(), "{other:?}");
    }
    // A resource with a shared secret reads it too, signed with a published key.
    let shared = server
        .get(FEED)
        .basic("legacy-api", "legacy-introspection.secret");
    let token = shared.send().await.body;
    let token = std::str::from_utf8(&token).unwrap();
    let read = verifier(TokenType::Other(TYPE), "legacy-api").verify_owned::<RevocationMessage>(token, now);
    assert!(read.is_ok(), "{token}");
}

/// What comes behind the last message, as kinds and values.
pub(crate) struct Reader<'s> {
    server: &'s Server,
    pub(crate) last: RevocationMessage,
}

impl Reader<'_> {
    pub(crate) async fn next(&mut self) -> Vec<(RevocationKind, String)> {
        let next = told(self.server, &behind(&self.last)).await;
        assert_eq!(next.since, self.last.cursor);
        self.last = next;
        let named = |entry: &Revocation| (entry.kind, entry.value.clone());
        self.last.entries.iter().map(named).collect()
    }
}

pub(crate) async fn reader(server: &Server) -> Reader<'_> {
    let last = told(server, "").await;
    Reader { server, last }
}

/// The session and the family behind an access token.
fn ends(token: &str) -> Vec<(RevocationKind, String)> {
    let claims = claims(token);
    let text = |name: &str| claims[name].as_str().unwrap().to_owned();
    vec![
        (RevocationKind::Sid, text("sid")),
        (RevocationKind::Fam, text("fam")),
    ]
}

#[tokio::test]
async fn lo_04_logouts_and_a_new_password_are_told() {
    let server = Server::start().await;
    let mut reader = reader(&server).await;

    let session = server.log_in(ALICE, PASSWORD).await;
    let out = server
        .post("/auth/logout")
        .bearer(&session.access)
        .cookie(&session.refresh);
    assert_eq!(out.send().await.status, StatusCode::NO_CONTENT);
    let jti = claims(&session.access)["jti"].as_str().unwrap().to_owned();
    let expected = [ends(&session.access), vec![(RevocationKind::Jti, jti)]].concat();
    assert_eq!(reader.next().await, expected);
    assert_eq!(reader.next().await, []);

    let (first, second) = (
        server.log_in(ALICE, PASSWORD).await,
        server.log_in(ALICE, PASSWORD).await,
    );
    let everywhere = json!({ "mode": "everywhere" });
    server
        .post("/auth/logout")
        .bearer(&first.access)
        .json(&everywhere)
        .send()
        .await;
    let mut all = reader.next().await;
    let mut expected = [ends(&first.access), ends(&second.access)].concat();
    all.sort_by(|a, b| a.1.cmp(&b.1));
    expected.sort_by(|a, b| a.1.cmp(&b.1));
    assert_eq!(all, expected);

    let (here, elsewhere) = (
        server.log_in(ALICE, PASSWORD).await,
        server.log_in(ALICE, PASSWORD).await,
    );
    let change = json!({ "old_password": PASSWORD, "new_password": "another long enough passphrase" });
    server
        .post("/auth/password")
        .bearer(&here.access)
        .json(&change)
        .send()
        .await;
    assert_eq!(reader.next().await, ends(&elsewhere.access));
}

#[tokio::test]
async fn ir_07_what_clients_give_back_and_what_thieves_bring_is_told() {
    let server = Server::start().await;
    let mut reader = reader(&server).await;
    let revoke = async |token: &str| {
        let call = server.post("/oauth/revoke").basic("web", "web.secret");
        assert_eq!(call.form(&[("token", token)]).send().await.status, StatusCode::OK);
    };
    let body = tokens(&server, "openid read:orders").await;
    let access = text(&body, "access_token");
    revoke(access).await;
    let jti = claims(access)["jti"].as_str().unwrap().to_owned();
    assert_eq!(reader.next().await, [(RevocationKind::Jti, jti)]);
    revoke(text(&body, "refresh_token")).await;
    assert_eq!(reader.next().await, ends(access)[1..]);

    // A spent refresh token.
    let first = server.log_in(ALICE, PASSWORD).await;
    let second = Session::of(&server.refresh(&first.refresh).await);
    server.wait(minutes(1)).await;
    server.refresh(&first.refresh).await;
    assert_eq!(reader.next().await, ends(&second.access)[1..]);

    // A code that comes twice.
    let code = Browser::of(&server).code(&web_url("openid", &[])).await;
    let bought = exchange(&server, &code).send().await.json();
    assert_eq!(reader.next().await, []);
    exchange(&server, &code).send().await;
    assert_eq!(reader.next().await, ends(text(&bought, "access_token"))[1..]);
}

#[tokio::test]
async fn what_an_operator_takes_back_is_told() {
    let server = Server::start().await;
    let mut reader = reader(&server).await;
    let store = &server.app.store;
    let alice = server.user(ALICE).await;
    let session = server.log_in(ALICE, PASSWORD).await;
    let second = server.app_now().div_euclid(1_000);

    store
        .revoke_user((alice.id, &alice.sub), &server.cut(Reason::Revoked))
        .await
        .unwrap();
    let all = (RevocationKind::Sub, alice.sub.clone());
    assert_eq!(
        reader.next().await,
        [ends(&session.access), vec![all.clone()]].concat()
    );
    // A time says: whatever was made before this second, whose sessions are named.
    assert_eq!(reader.last.entries[2].issued_before, Some(second - 1));

    server.wait(minutes(1)).await;
    server.set_state(ALICE, UserState::Disabled).await;
    assert_eq!(reader.next().await, [all]);
    server.set_state(ALICE, UserState::Active).await;
    assert_eq!(reader.next().await, []);

    let both = format!("{} web", alice.sub);
    store
        .withdraw_consent((alice.id, &alice.sub), "web", &server.cut(Reason::Revoked))
        .await
        .unwrap();
    assert_eq!(reader.next().await, [(RevocationKind::SubClient, both)]);

    let (now, audit) = (server.app_now(), server.cut(Reason::Revoked).audit);
    store
        .add_client(("late", "{}"), None, (now, &audit))
        .await
        .unwrap();
    let cut = server.cut(Reason::Revoked);
    store
        .set_client_state("late", ClientState::Disabled, &cut)
        .await
        .unwrap();
    assert_eq!(reader.next().await, [(RevocationKind::Client, "late".to_owned())]);

    let key = kid(&server.log_in(ALICE, PASSWORD).await.access);
    store
        .revoke_key(&key, &server.cut(Reason::Revoked))
        .await
        .unwrap();
    server.wait(std::time::Duration::ZERO).await;
    assert_eq!(reader.next().await, [(RevocationKind::Kid, key)]);
}

#[tokio::test]
async fn whoever_comes_from_another_history_begins_anew() {
    let server = Server::start().await;
    let store = &server.app.store;
    let hour = Cut {
        entry_ttl_ms: 3_600_000,
        ..server.cut(Reason::Revoked)
    };
    for jti in ["a", "b", "c"] {
        store.revoke_token(jti, &hour).await.unwrap();
    }
    let all = told(&server, "").await;
    assert_eq!(
        (all.since, all.cursor, all.entries.len(), all.more),
        (0, 3, 3, false)
    );
    assert_eq!(
        all.entries[0].exp,
        i64::try_from(server.app.now_seconds()).unwrap() + 3_601
    );
    let from = |since: i64, epoch: &str| format!("?since={since}&epoch={epoch}");
    let later = told(&server, &from(1, &all.epoch)).await;
    assert_eq!((later.since, later.cursor, later.entries.len()), (1, 3, 2));
    // A cursor that was never given out: a backup was restored.
    let ahead = told(&server, &from(4, &all.epoch)).await;
    assert_eq!((ahead.since, ahead.cursor, ahead.entries.len()), (0, 3, 3));
    let cut = server.cut(Reason::Revoked);
    store.renew_revocation_epoch(cut.at, &cut.audit).await.unwrap();
    let renewed = told(&server, &behind(&all)).await;
    assert_ne!(renewed.epoch, all.epoch);
    assert_eq!((renewed.since, renewed.cursor, renewed.entries.len()), (0, 3, 3));
}

#[tokio::test]
async fn a_cursor_that_is_none_is_refused() {
    let server = Server::start().await;
    for query in [
        "?since=1",
        "?epoch=x",
        "?since=x&epoch=y",
        "?since=-1&epoch=y",
        "?wait=x",
        "?since=1&since=2&epoch=x",
    ] {
        let reply = ask(&server, query).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(reply.json()["error"], "invalid_request", "{query}");
    }
    let call = server.get(FEED).basic("orders-api", "orders.secret");
    let reply = call.header("last-event-id", "nonsense").send().await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_large_set_comes_in_parts_and_none_is_missing_or_doubled() {
    let server = Server::start().await;
    let store = &server.app.store;
    let cut = server.cut(Reason::Revoked);
    let revoke = async |from: u32, to: u32| {
        for n in from..to {
            store.revoke_token(&format!("{n:0>22}"), &cut).await.unwrap();
        }
    };
    revoke(0, 700).await;
    // What could match no token of ours is left out: it would not fit.
    store.revoke_token(&"x".repeat(20_000), &cut).await.unwrap();
    let mut message = told(&server, "").await;
    let mut values: Vec<String> = Vec::new();
    let mut parts = 1;
    loop {
        values.extend(message.entries.iter().map(|entry| entry.value.clone()));
        if !message.more {
            break;
        }
        if parts == 2 {
            // What arrives while the parts are sent comes at their end.
            revoke(700, 710).await;
        }
        let next = told(&server, &behind(&message)).await;
        assert_eq!((next.since, &next.epoch), (message.cursor, &message.epoch));
        (message, parts) = (next, parts + 1);
    }
    let expected: Vec<String> = (0..710).map(|n| format!("{n:0>22}")).collect();
    assert_eq!(values, expected);
    assert!((5..15).contains(&parts), "{parts}");
    assert_eq!(message.cursor, 711);
}

#[tokio::test]
async fn a_question_waits_for_its_answer() {
    let server = Server::start().await;
    let first = told(&server, "").await;
    let query = format!("{}&wait=30", behind(&first));
    let revoke = async {
        tokio::task::yield_now().await;
        let session = server.log_in(ALICE, PASSWORD).await;
        server.post("/auth/logout").cookie(&session.refresh).send().await;
    };
    let began = std::time::Instant::now();
    let (next, ()) = tokio::join!(told(&server, &query), revoke);
    assert!(!next.entries.is_empty());
    assert!(
        began.elapsed() < std::time::Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
}
