//! Spec tests of `POST /auth/register`.

use http::StatusCode;
use serde_json::json;

use crate::harness::{ALICE, PASSWORD, Reply, Server, claims};

const OPEN: &str = "[login]\nregistration = \"open\"";
const GOOD: &str = "a passphrase of my own choosing";

async fn register(server: &Server, email: &str, password: &str) -> Reply {
    server
        .post("/auth/register")
        .json(&json!({ "email": email, "password": password }))
        .send()
        .await
}

#[tokio::test]
async fn registration_is_closed_by_default() {
    let server = Server::start().await;
    let reply = register(&server, "new@example.com", GOOD).await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (StatusCode::FORBIDDEN, "registration_closed")
    );
}

#[tokio::test]
async fn a_registered_user_can_log_in_and_has_no_rights() {
    let server = Server::with(OPEN).await;
    assert_eq!(
        register(&server, "new@example.com", GOOD).await.status,
        StatusCode::ACCEPTED
    );
    let claims = claims(&server.log_in("new@example.com", GOOD).await.access);
    assert!(claims.get("roles").is_none());
}

#[tokio::test]
async fn pw_01_a_taken_address_gets_the_same_answer_and_changes_nothing() {
    let server = Server::with(OPEN).await;
    let new = register(&server, "new@example.com", GOOD).await;
    let taken = register(&server, "ALICE@example.com", GOOD).await;
    assert_eq!((new.status, &new.body), (taken.status, &taken.body));
    assert_eq!(
        server.try_log_in(ALICE, GOOD).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(server.try_log_in(ALICE, PASSWORD).await.status, StatusCode::OK);
}

#[tokio::test]
async fn rc_06_of_many_registrations_of_one_address_one_makes_the_account() {
    let server = Server::with(OPEN).await;
    let spellings = [
        "new@example.com",
        "New@example.com",
        "NEW@EXAMPLE.COM",
        "new@Example.com",
    ];
    let replies =
        futures_util::future::join_all((0..8).map(|i| register(&server, spellings[i % 4], GOOD))).await;
    assert!(replies.iter().all(|reply| reply.status == StatusCode::ACCEPTED));
    let users = server.app.store.list_users(None, 100).await.unwrap();
    assert_eq!(
        users
            .iter()
            .filter(|user| user.email.eq_ignore_ascii_case("new@example.com"))
            .count(),
        1
    );
}

#[tokio::test]
async fn ad_02_a_stranger_cannot_say_what_they_may() {
    let server = Server::with(OPEN).await;
    for member in [
        "role",
        "roles",
        "is_admin",
        "email_verified",
        "id",
        "sub",
        "password_hash",
        "attributes",
    ] {
        let body = json!({ "email": "new@example.com", "password": GOOD, member: "admin" });
        let reply = server.post("/auth/register").json(&body).send().await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::BAD_REQUEST, "unknown_member"),
            "{member}"
        );
    }
}

#[tokio::test]
async fn addresses_and_passwords_are_checked_before_anything_else() {
    let server = Server::with(OPEN).await;
    assert_eq!(
        register(&server, "a@x.test\r\nBcc:e@evil", GOOD).await.code(),
        "invalid_email"
    );
    assert_eq!(
        register(&server, "new@example.com", "short").await.code(),
        "password_too_short"
    );
    assert_eq!(
        register(&server, "new@example.com", "password123").await.code(),
        "password_too_weak"
    );
}

#[tokio::test]
async fn registrations_from_one_address_are_counted() {
    let server = Server::with(&format!("{OPEN}\nattempts_per_account_and_address = 2")).await;
    assert_eq!(
        register(&server, "a@example.com", GOOD).await.status,
        StatusCode::ACCEPTED
    );
    assert_eq!(
        register(&server, "b@example.com", GOOD).await.status,
        StatusCode::ACCEPTED
    );
    let reply = register(&server, "c@example.com", GOOD).await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (StatusCode::TOO_MANY_REQUESTS, "too_many_attempts")
    );
    assert_eq!(reply.header("retry-after"), "900");
}
