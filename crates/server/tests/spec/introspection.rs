//! Spec tests of `POST /oauth/introspect`.

use std::time::Duration;

use carnet_store::{AuditAction, Reason, UserState};
use http::{Method, StatusCode};
use serde_json::json;

use crate::harness::{ALICE, API, PASSWORD, SHARED_API, Server, claims, minutes};
use crate::web::{text, tokens};

#[tokio::test]
async fn an_active_token_shows_its_claims_to_its_resource() {
    let server = Server::start().await;
    let token = server.log_in(ALICE, PASSWORD).await.access;
    let reply = server
        .post("/oauth/introspect")
        .basic("orders-api", "orders.secret")
        .form(&[("token", &token)])
        .send()
        .await;
    let body = reply.json();
    assert_eq!(body["active"], true);
    assert_eq!(body["token_type"], "Bearer");
    for (name, value) in claims(&token).as_object().unwrap() {
        assert_eq!(&body[name], value, "{name}");
    }
    assert_eq!(reply.header("cache-control"), "no-store");
}

#[tokio::test]
async fn ir_01_nobody_scans_tokens_without_credentials() {
    let server = Server::start().await;
    let token = server.log_in(ALICE, PASSWORD).await.access;
    let nobody = server
        .post("/oauth/introspect")
        .form(&[("token", &token)])
        .send()
        .await;
    let user = server
        .post("/oauth/introspect")
        .bearer(&token)
        .form(&[("token", &token)])
        .send()
        .await;
    let public = server
        .post("/oauth/introspect")
        .form(&[("token", &token), ("client_id", "first-party")])
        .send()
        .await;
    let wrong = server
        .post("/oauth/introspect")
        .basic("orders-api", "guess")
        .form(&[("token", &token)])
        .send()
        .await;
    for reply in [nobody, user, public, wrong] {
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{reply:?}");
        assert_eq!(reply.json()["error"], "invalid_client");
        assert_eq!(reply.header("www-authenticate"), "Basic realm=\"carnet\"");
    }
}

/// What a resource is told about a token, byte for byte.
async fn ask(server: &Server, id: &str, secret: &str, token: String) -> String {
    let reply = server
        .post("/oauth/introspect")
        .basic(id, secret)
        .form(&[("token", &token)])
        .send()
        .await;
    String::from_utf8(reply.body.to_vec()).unwrap()
}

#[tokio::test]
async fn ir_02_a_token_for_another_resource_is_inactive() {
    let server = Server::start().await;
    let ours = server.log_in(ALICE, PASSWORD).await.access;
    let body = json!({ "email": ALICE, "password": PASSWORD, "audience": SHARED_API });
    let theirs = server.post("/auth/login").json(&body).send().await.json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        ask(&server, "orders-api", "orders.secret", theirs.clone()).await,
        r#"{"active":false}"#
    );
    assert_eq!(
        ask(&server, "legacy-api", "legacy-introspection.secret", ours.clone()).await,
        r#"{"active":false}"#
    );
    assert!(
        ask(&server, "legacy-api", "legacy-introspection.secret", theirs)
            .await
            .starts_with(r#"{"active":true"#)
    );
    assert!(
        ask(&server, "orders-api", "orders.secret", ours)
            .await
            .contains(API)
    );
}

#[tokio::test]
async fn ir_03_every_inactive_token_gets_the_same_answer() {
    let server = Server::start().await;
    let old = server.log_in(ALICE, PASSWORD).await;
    server.wait(minutes(16)).await;
    let gone = server.log_in(ALICE, PASSWORD).await;
    server.post("/auth/logout").cookie(&gone.refresh).send().await;
    for token in [
        "x",
        "a.b.c",
        &"y".repeat(5_000),
        &old.access,
        &gone.access,
        &old.refresh,
    ] {
        let reply = server
            .post("/oauth/introspect")
            .basic("orders-api", "orders.secret")
            .form(&[("token", token)])
            .send()
            .await;
        assert_eq!(
            (reply.status, reply.body.as_ref()),
            (StatusCode::OK, br#"{"active":false}"#.as_slice())
        );
        assert_eq!(reply.header("cache-control"), "no-store");
    }
}

/// The signature of a token that was seen before is not checked again. Everything else is.
#[tokio::test]
async fn a_token_that_was_active_a_moment_ago_is_inactive_as_soon_as_it_should_be() {
    let server = Server::start().await;
    let seen = async || {
        let session = server.log_in(ALICE, PASSWORD).await;
        assert!(server.is_active(&session.access).await);
        assert!(server.is_active(&session.access).await);
        session
    };
    let given_back = seen().await;
    server
        .post("/auth/logout")
        .cookie(&given_back.refresh)
        .send()
        .await;
    assert!(!server.is_active(&given_back.access).await);

    let old = seen().await;
    server.wait(minutes(16)).await;
    assert!(!server.is_active(&old.access).await);

    let leaked = seen().await;
    let key = crate::keys::kid(&leaked.access);
    let cut = server.cut(Reason::Revoked);
    server.app.store.revoke_key(&key, &cut).await.unwrap();
    assert!(!server.is_active(&leaked.access).await);
    server.wait(std::time::Duration::ZERO).await;

    let disabled = seen().await;
    server.set_state(ALICE, UserState::Disabled).await;
    assert!(!server.is_active(&disabled.access).await);
}

#[tokio::test]
async fn ir_04_a_hint_never_changes_the_verdict_and_refresh_tokens_are_inactive() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    for hint in ["refresh_token", "access_token", "bogus", ""] {
        for (token, active) in [(&session.refresh, false), (&session.access, true)] {
            let form = [("token", token.as_str()), ("token_type_hint", hint)];
            let reply = server
                .post("/oauth/introspect")
                .basic("orders-api", "orders.secret")
                .form(&form)
                .send()
                .await;
            assert_eq!(reply.json()["active"], active, "{hint}");
        }
    }
}

#[tokio::test]
async fn ca_01_two_ways_to_authenticate_authenticate_nobody() {
    let server = Server::start().await;
    let secret = "orders.secret-0123456789abcdef0123456789abcdef";
    let form = [("token", "x"), ("client_secret", secret)];
    let both = server
        .post("/oauth/introspect")
        .basic("orders-api", "orders.secret")
        .form(&form)
        .send()
        .await;
    assert_eq!(
        (both.status, both.json()["error"].as_str()),
        (StatusCode::BAD_REQUEST, Some("invalid_request"))
    );
    let twice = server
        .post("/oauth/introspect")
        .basic("orders-api", "orders.secret")
        .basic("orders-api", "orders.secret");
    assert_eq!(
        twice.form(&[("token", "x")]).send().await.status,
        StatusCode::UNAUTHORIZED
    );
    let other = server
        .post("/oauth/introspect")
        .basic("orders-api", "orders.secret")
        .form(&[("token", "x"), ("client_id", "legacy-api")]);
    assert_eq!(other.send().await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_endpoint_reads_one_form_by_post_alone() {
    let server = Server::start().await;
    let twice = server
        .post("/oauth/introspect")
        .basic("orders-api", "orders.secret")
        .form(&[("token", "x"), ("token", "y")]);
    let reply = twice.send().await;
    assert_eq!(
        (reply.status, reply.json()["error"].as_str()),
        (StatusCode::BAD_REQUEST, Some("invalid_request"))
    );
    let missing = server
        .post("/oauth/introspect")
        .basic("orders-api", "orders.secret")
        .form(&[("token", "")])
        .send()
        .await;
    assert_eq!(missing.json()["error"], "invalid_request");
    let json = server
        .post("/oauth/introspect")
        .basic("orders-api", "orders.secret")
        .json(&json!({ "token": "x" }))
        .send()
        .await;
    assert_eq!(json.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let get = server.call(Method::GET, "/oauth/introspect?token=x").send().await;
    assert_eq!(
        (get.status, get.header("allow")),
        (StatusCode::METHOD_NOT_ALLOWED, "POST")
    );
}

#[tokio::test]
async fn ir_05_what_was_taken_back_is_inactive_at_once_whatever_took_it_back() {
    let server = Server::start().await;
    let by_jti = server.log_in(ALICE, PASSWORD).await.access;
    let jti = claims(&by_jti)["jti"].as_str().unwrap().to_owned();
    server
        .app
        .store
        .revoke_token(&jti, &server.cut(Reason::Revoked))
        .await
        .unwrap();
    assert!(!server.is_active(&by_jti).await);

    let by_family = server.log_in(ALICE, PASSWORD).await.access;
    let fam = claims(&by_family)["fam"].as_str().unwrap().to_owned();
    let cut = server.cut(carnet_store::Reason::Revoked);
    assert!(server.app.store.revoke_family(&fam, &cut).await.unwrap());
    assert!(!server.is_active(&by_family).await);

    let by_user = server.log_in(ALICE, PASSWORD).await.access;
    server.set_state(ALICE, carnet_store::UserState::Disabled).await;
    assert!(!server.is_active(&by_user).await);
}

#[tokio::test]
async fn lk_08_a_token_says_no_more_than_was_mapped() {
    let server = Server::start().await;
    let token = server.log_in(ALICE, PASSWORD).await.access;
    let said: std::collections::BTreeSet<String> =
        claims(&token).as_object().unwrap().keys().cloned().collect();
    let expected = [
        "acr",
        "aud",
        "auth_time",
        "client_id",
        "exp",
        "fam",
        "iat",
        "iss",
        "jti",
        "nbf",
        "scope",
        "sid",
        "sub",
    ];
    assert_eq!(said.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn ca_11_guesses_at_the_secret_of_a_resource_server_are_counted_and_put_on_record() {
    let server = Server::start().await;
    let mut last = StatusCode::OK;
    for _ in 0..30 {
        let call = server.post("/oauth/introspect").basic("orders-api", "wrong");
        last = call.form(&[("token", "x")]).send().await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    let audit = server.audit().await;
    let refused = audit
        .iter()
        .filter(|row| row.event.action == AuditAction::ClientAuthentication);
    let count = refused.count();
    assert!(count > 0 && count < 30, "{count}");
    let feed = server
        .get("/revocations")
        .basic("orders-api", "wrong")
        .send()
        .await;
    assert_eq!(feed.status, StatusCode::TOO_MANY_REQUESTS);
    let token = server.log_in(ALICE, PASSWORD).await.access;
    assert!(
        server.is_active(&token).await,
        "the right secret counts all the same"
    );
}

#[tokio::test]
async fn ir_03_a_token_is_inactive_from_the_second_in_which_it_ends() {
    let server = Server::start().await;
    let ours = text(&tokens(&server, "openid read:orders").await, "access_token").to_owned();
    let body = json!({ "email": ALICE, "password": PASSWORD, "audience": SHARED_API });
    let shared = server.post("/auth/login").json(&body).send().await.json();
    let shared = text(&shared, "access_token").to_owned();
    let active = async |id, secret, token: &str| {
        let said = ask(&server, id, secret, token.to_owned()).await;
        said != r#"{"active":false}"#
    };
    server.wait(Duration::from_secs(899)).await;
    assert!(active("orders-api", "orders.secret", &ours).await);
    assert!(active("legacy-api", "legacy-introspection.secret", &shared).await);
    let told = server.get("/userinfo").bearer(&ours).send().await;
    assert_eq!(told.status, StatusCode::OK, "{told:?}");
    for _ in 0..4 {
        server.wait(Duration::from_secs(1)).await;
        assert!(!active("orders-api", "orders.secret", &ours).await);
        assert!(!active("legacy-api", "legacy-introspection.secret", &shared).await);
        let refused = server.get("/userinfo").bearer(&ours).send().await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (StatusCode::UNAUTHORIZED, "token_expired")
        );
    }
}
