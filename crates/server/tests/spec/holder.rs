//! Whose tokens open the login API: those of its own clients, for an audience of theirs (RFC 9068 §4), and no other.

use http::StatusCode;
use serde_json::json;

use crate::harness::{ALICE, PASSWORD, Reply, Server};
use crate::jwt_bearer::{about_alice, brought, with_alice};
use crate::proofs::{bound_tokens, prover};
use crate::web::{EVERYTHING, text, tokens};

const NEW: &str = "another long enough passphrase";

/// What the token brings at each of the calls that take one.
async fn everywhere(server: &Server, scheme: &str, token: &str) -> Vec<Reply> {
    let value = format!("{scheme} {token}");
    let change = json!({ "old_password": PASSWORD, "new_password": NEW });
    let calls = [
        server.get("/auth/me"),
        server.post("/auth/password").json(&change),
        server.post("/auth/logout"),
        server.post("/auth/logout").json(&json!({ "mode": "everywhere" })),
    ];
    let mut replies = Vec::new();
    for call in calls {
        replies.push(call.header("authorization", &value).send().await);
    }
    replies
}

fn assert_all_refused(replies: &[Reply]) {
    for reply in replies {
        let said = (reply.status, reply.code());
        assert_eq!(
            said,
            (StatusCode::UNAUTHORIZED, "token_invalid".to_owned()),
            "{reply:?}"
        );
        let challenge = reply.header("www-authenticate");
        assert!(
            challenge.starts_with("Bearer error=\"invalid_token\""),
            "{challenge}"
        );
    }
}

#[tokio::test]
async fn a_token_of_a_client_of_the_code_flow_opens_userinfo_and_nothing_of_the_login_api() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    let body = tokens(&server, EVERYTHING).await;
    let token = text(&body, "access_token");
    assert_all_refused(&everywhere(&server, "Bearer", token).await);
    let told = server.get("/userinfo").bearer(token).send().await;
    assert_eq!(told.status, StatusCode::OK, "{told:?}");
    assert!(server.is_active(token).await && server.is_active(&session.access).await);
    // Nor does its refresh token end anything there.
    let with = |mode: &str| json!({ "mode": mode, "refresh_token": text(&body, "refresh_token") });
    server.post("/auth/logout").json(&with("session")).send().await;
    let everywhere = server.post("/auth/logout").json(&with("everywhere")).send().await;
    assert_eq!(
        (everywhere.status, everywhere.code().as_str()),
        (StatusCode::UNAUTHORIZED, "token_missing")
    );
    assert!(server.is_active(token).await && server.is_active(&session.access).await);
    server.log_in(ALICE, PASSWORD).await;
}

#[tokio::test]
async fn a_token_for_the_word_of_a_trusted_issuer_opens_nothing_of_the_login_api() {
    let server = with_alice("", "read:orders").await;
    let body = brought(&server, &about_alice(&server, |_| {}).await, &[])
        .await
        .json();
    let token = text(&body, "access_token");
    assert_all_refused(&everywhere(&server, "Bearer", token).await);
    assert!(server.is_active(token).await);
    server.log_in(ALICE, PASSWORD).await;
}

#[tokio::test]
async fn an_audience_that_the_client_may_not_have_any_more_opens_nothing_of_the_login_api() {
    let server = Server::start().await;
    let login = json!({ "email": ALICE, "password": PASSWORD, "client_id": "mobile" });
    let body = server.post("/auth/login").json(&login).send().await.json();
    let token = text(&body, "access_token");
    assert_eq!(
        server.get("/auth/me").bearer(token).send().await.status,
        StatusCode::OK
    );
    let id = "id = \"mobile\"";
    let narrowed = format!("{id}\naudiences = [\"https://billing.example.com\"]");
    let narrowed = server.restarted_with(id, &narrowed).await;
    assert_all_refused(&everywhere(&narrowed, "Bearer", token).await);
}

#[tokio::test]
async fn whoever_sends_a_bound_token_to_the_login_api_is_told_where_it_counts() {
    let server = Server::start().await;
    let body = bound_tokens(&server, &prover()).await;
    let replies = everywhere(&server, "DPoP", text(&body, "access_token")).await;
    assert_all_refused(&replies);
    for reply in &replies {
        assert!(
            reply.json()["detail"].as_str().unwrap().contains("/userinfo"),
            "{reply:?}"
        );
    }
}
