//! Which callers are refused, with which status and challenge.

use std::time::Duration;

use carnet_guard::Guard;
use carnet_guard::testing::TestIssuer;
use carnet_jose::{Algorithm, AnySigningKey, Signer, TokenType, base64url};
use http::StatusCode;
use serde_json::json;

use crate::api::{API, call, with_token};

async fn guard() -> (TestIssuer, Guard) {
    let issuer = TestIssuer::new();
    let guard = issuer.resource_server(API).build().await.unwrap();
    (issuer, guard)
}

#[tokio::test]
async fn a_valid_token_gets_in_and_the_handler_knows_who_it_is() {
    let (issuer, guard) = guard().await;
    let answer = with_token(
        &guard,
        "/me",
        &issuer.token("alice").audience(API).claim("team", "red").sign(),
    )
    .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.body,
        json!({ "sub": "alice", "client": "test", "team": "red" })
    );
}

#[tokio::test]
async fn a_route_outside_the_layer_is_public() {
    let (_, guard) = guard().await;
    assert_eq!(call(&guard, "/health", &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn without_a_token_the_challenge_names_no_error() {
    let (_, guard) = guard().await;
    for headers in [&[][..], &[("authorization", "Basic YTpi")]] {
        let answer = call(&guard, "/me", headers).await;
        assert_eq!(
            (answer.status, answer.code(), answer.challenge.as_str()),
            (StatusCode::UNAUTHORIZED, "token_missing", "Bearer")
        );
    }
}

#[tokio::test]
async fn an_expired_token_says_so_and_everything_else_is_invalid() {
    let (issuer, guard) = guard().await;
    let expired = with_token(
        &guard,
        "/me",
        &issuer
            .token("alice")
            .audience(API)
            .expired(Duration::from_secs(60))
            .sign(),
    )
    .await;
    assert_eq!(
        (expired.status, expired.code()),
        (StatusCode::UNAUTHORIZED, "token_expired")
    );
    assert!(
        expired.challenge.starts_with("Bearer error=\"invalid_token\""),
        "{}",
        expired.challenge
    );
    let token = || issuer.token("alice").audience(API);
    for (what, bad) in [
        ("another audience", token().audience("https://other.test").sign()),
        (
            "another issuer",
            token().claim("iss", "https://issuer.test/").sign(),
        ),
        ("not yet valid", token().claim("nbf", 99_999_999_999_u64).sign()),
        ("no client_id", token().without("client_id").sign()),
        ("no jti", token().without("jti").sign()),
        ("no exp", token().without("exp").sign()),
        (
            "another key",
            TestIssuer::new().token("alice").audience(API).sign(),
        ),
        ("no token at all", "x.y.z".to_owned()),
    ] {
        let answer = with_token(&guard, "/me", &bad).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::UNAUTHORIZED, "token_invalid"),
            "{what}"
        );
        assert!(answer.challenge.contains("error=\"invalid_token\""), "{what}");
    }
}

#[tokio::test]
async fn jwt_01_and_jwt_02_forged_algorithms_do_not_get_in() {
    let (issuer, guard) = guard().await;
    let good = issuer.token("alice").audience(API).sign();
    let payload = good.split('.').nth(1).unwrap();
    for alg in ["none", "None", "HS256", ""] {
        let header =
            base64url::encode(format!(r#"{{"alg":"{alg}","typ":"at+jwt","kid":"test"}}"#).as_bytes());
        for signature in ["", "AA"] {
            let answer = with_token(&guard, "/me", &format!("{header}.{payload}.{signature}")).await;
            assert_eq!(answer.code(), "token_invalid", "{alg}");
        }
    }
}

#[tokio::test]
async fn an_id_token_is_no_access_token() {
    let (_, guard) = guard().await;
    let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
    let signer = Signer::new(key, TokenType::IdToken, Some("test".to_owned())).unwrap();
    let answer = with_token(
        &guard,
        "/me",
        &signer
            .sign(&json!({ "iss": "https://issuer.test", "aud": API }))
            .unwrap(),
    )
    .await;
    assert_eq!(answer.code(), "token_invalid");
}

#[tokio::test]
async fn gw_11_a_token_in_odd_places_is_no_token() {
    let (issuer, guard) = guard().await;
    let token = issuer.token("alice").audience(API).sign();
    assert_eq!(
        call(&guard, &format!("/me?access_token={token}"), &[])
            .await
            .code(),
        "token_missing"
    );
    assert_eq!(
        call(&guard, "/me", &[("cookie", &format!("access_token={token}"))])
            .await
            .code(),
        "token_missing"
    );
    let bearer = format!("Bearer {token}");
    for headers in [
        &[
            ("authorization", bearer.as_str()),
            ("authorization", bearer.as_str()),
        ][..],
        &[("authorization", &format!("{bearer},{bearer}"))],
        &[("authorization", "Bearer")],
        &[("authorization", "Bearer ")],
        &[("authorization", "Bearer\tx")],
    ] {
        let answer = call(&guard, "/me", headers).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::BAD_REQUEST, "invalid_request"),
            "{headers:?}"
        );
        assert!(answer.challenge.contains("error=\"invalid_request\""));
    }
    assert_eq!(
        call(&guard, "/me", &[("authorization", &format!("bearer   {token}"))])
            .await
            .status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn jwt_22_a_monster_token_is_refused() {
    let (_, guard) = guard().await;
    for token in [".".repeat(200_000), "A".repeat(1_000_000)] {
        assert_eq!(with_token(&guard, "/me", &token).await.code(), "token_invalid");
    }
}
