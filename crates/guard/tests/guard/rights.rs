//! Scopes, roles and permissions.

use carnet_guard::testing::{TestIssuer, TestToken};
use http::StatusCode;
use serde_json::json;

use crate::api::{API, Answer, with_token};

async fn ask(path: &str, token: impl FnOnce(TestToken<'_>) -> TestToken<'_>) -> Answer {
    let issuer = TestIssuer::new();
    let guard = issuer.resource_server(API).build().await.unwrap();
    with_token(&guard, path, &token(issuer.token("alice").audience(API)).sign()).await
}

#[tokio::test]
async fn gw_12_a_missing_scope_is_403_and_named() {
    let answer = ask("/orders", |token| token.scope("write:orders")).await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::FORBIDDEN, "insufficient_scope")
    );
    assert!(
        answer.challenge.contains(r#"error="insufficient_scope""#)
            && answer.challenge.contains(r#"scope="read:orders""#),
        "{}",
        answer.challenge
    );
    assert_eq!(
        ask("/orders", |token| token.scope("x read:orders")).await.status,
        StatusCode::OK
    );
    assert_eq!(
        ask("/orders", |token| token.claim("scope", json!(["read:orders"])))
            .await
            .status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn gw_12_the_own_token_of_a_client_opens_no_route_for_users() {
    let own = async |path| {
        ask(path, |token| {
            token.claim("client_id", "alice").scope("read:orders")
        })
        .await
    };
    assert_eq!(own("/orders").await.status, StatusCode::OK);
    let answer = own("/profile").await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::FORBIDDEN, "insufficient_scope")
    );
    assert!(!answer.challenge.contains("scope="), "no scope would help");
    let users = ask("/profile", |token| token.scope("read:orders")).await;
    assert_eq!(users.status, StatusCode::OK);
}

#[tokio::test]
async fn a_tuple_of_scopes_asks_for_all_of_them() {
    let answer = ask("/both", |token| token.scope("read:orders")).await;
    assert!(
        answer.challenge.contains(r#"scope="read:orders write:orders""#),
        "{}",
        answer.challenge
    );
    assert_eq!(
        ask("/both", |token| token.scope("write:orders read:orders"))
            .await
            .status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn roles_and_permissions_open_a_route() {
    assert_eq!(ask("/edit", |token| token).await.code(), "insufficient_scope");
    assert_eq!(
        ask("/edit", |token| token.role("reader")).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        ask("/edit", |token| token.role("reader").role("editor"))
            .await
            .status,
        StatusCode::OK
    );
    assert_eq!(
        ask("/edit", |token| token
            .claim("permissions", json!(["articles:write"])))
        .await
        .status,
        StatusCode::OK
    );
    // A role in a claim of another name is no role.
    assert_eq!(
        ask("/edit", |token| token.claim("role", "editor")).await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn all_of_a_rule_must_hold_and_only_scopes_are_named() {
    let answer = ask("/rule", |token| token.role("editor")).await;
    assert!(
        answer.challenge.contains(r#"scope="read:orders""#),
        "{}",
        answer.challenge
    );
    let answer = ask("/rule", |token| token.scope("read:orders")).await;
    assert!(
        answer.status == StatusCode::FORBIDDEN && !answer.challenge.contains("scope=\""),
        "{}",
        answer.challenge
    );
    assert_eq!(
        ask("/rule", |token| token.scope("read:orders").role("editor"))
            .await
            .status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn roles_and_permissions_are_types_too() {
    assert_eq!(
        ask("/typed", |token| token.role("editor")).await.status,
        StatusCode::FORBIDDEN
    );
    let both = ask("/typed", |token| {
        token
            .role("editor")
            .claim("permissions", json!(["articles:write"]))
    })
    .await;
    assert_eq!(both.status, StatusCode::OK);
}
