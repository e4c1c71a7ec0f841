//! Spec tests of `POST /auth/password`.

use http::StatusCode;
use serde_json::json;

use crate::harness::{ALICE, PASSWORD, Reply, Server, Session};

const NEW: &str = "another long enough passphrase";

async fn change(server: &Server, session: &Session, old: &str, new: &str) -> Reply {
    let body = json!({ "old_password": old, "new_password": new });
    server
        .post("/auth/password")
        .bearer(&session.access)
        .json(&body)
        .send()
        .await
}

#[tokio::test]
async fn rt_08_every_other_session_family_and_token_dies_with_the_old_password() {
    let server = Server::start().await;
    let here = server.log_in(ALICE, PASSWORD).await;
    let elsewhere = server.log_in(ALICE, PASSWORD).await;
    assert_eq!(
        change(&server, &here, PASSWORD, NEW).await.status,
        StatusCode::NO_CONTENT
    );
    assert!(!server.is_active(&elsewhere.access).await);
    assert_eq!(
        server.refresh(&elsewhere.refresh).await.code(),
        "refresh_token_invalid"
    );
    assert!(server.is_active(&here.access).await);
    assert_eq!(server.refresh(&here.refresh).await.status, StatusCode::OK);
    assert_eq!(
        server.try_log_in(ALICE, PASSWORD).await.code(),
        "invalid_credentials"
    );
    let again = server.log_in(ALICE, NEW).await;
    assert!(
        server.is_active(&again.access).await,
        "a login in the same second survives"
    );
}

#[tokio::test]
async fn pw_18_the_old_password_is_asked_for() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    let reply = change(&server, &session, "not my password", NEW).await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (StatusCode::UNAUTHORIZED, "invalid_credentials")
    );
    let body = json!({ "old_password": PASSWORD, "new_password": NEW });
    assert_eq!(
        server.post("/auth/password").json(&body).send().await.code(),
        "token_missing"
    );
    assert_eq!(server.try_log_in(ALICE, PASSWORD).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_new_password_must_be_long_and_strong_enough() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    for (new, code) in [
        ("short", "password_too_short"),
        ("password123", "password_too_weak"),
        ("alice@example.com", "password_too_weak"),
    ] {
        let reply = change(&server, &session, PASSWORD, new).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::BAD_REQUEST, code),
            "{new}"
        );
    }
    assert_eq!(
        change(&server, &session, PASSWORD, &"long ".repeat(300))
            .await
            .code(),
        "password_too_long"
    );
}
