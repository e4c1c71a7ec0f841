//! Spec tests of `GET /auth/me`, and of how our own endpoints read access tokens.

use http::StatusCode;

use crate::harness::{ALICE, PASSWORD, Server, minutes};

#[tokio::test]
async fn a_user_sees_their_own_claims() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    let reply = server.get("/auth/me").bearer(&session.access).send().await;
    assert_eq!(reply.status, StatusCode::OK);
    let body = reply.json();
    assert_eq!(body["email"], ALICE);
    assert_eq!(body["sub"], server.user(ALICE).await.sub);
    assert_eq!(body["email_verified"], false);
    assert_eq!(reply.header("cache-control"), "no-store");
}

#[tokio::test]
async fn without_a_token_the_challenge_has_no_error_code() {
    let server = Server::start().await;
    let reply = server.get("/auth/me").send().await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (StatusCode::UNAUTHORIZED, "token_missing")
    );
    assert_eq!(reply.header("www-authenticate"), "Bearer");
}

#[tokio::test]
async fn an_expired_token_says_so() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    server.wait(minutes(16)).await;
    let reply = server.get("/auth/me").bearer(&session.access).send().await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (StatusCode::UNAUTHORIZED, "token_expired")
    );
    assert!(
        reply
            .header("www-authenticate")
            .starts_with("Bearer error=\"invalid_token\"")
    );
}

#[tokio::test]
async fn gw_11_a_token_in_an_odd_place_is_no_token() {
    let server = Server::start().await;
    let token = server.log_in(ALICE, PASSWORD).await.access;
    let query = server.get(&format!("/auth/me?access_token={token}")).send().await;
    assert_eq!(query.code(), "token_missing");
    let cookie = server
        .get("/auth/me")
        .header("cookie", &format!("access_token={token}"))
        .send()
        .await;
    assert_eq!(cookie.code(), "token_missing");
    let twice = server.get("/auth/me").bearer(&token).bearer(&token).send().await;
    assert_eq!(
        (twice.status, twice.code().as_str()),
        (StatusCode::BAD_REQUEST, "invalid_request")
    );
    let list = server
        .get("/auth/me")
        .bearer(&format!("{token},Bearer {token}"))
        .send()
        .await;
    assert_eq!(list.status, StatusCode::BAD_REQUEST);
    let lower = server
        .get("/auth/me")
        .header("authorization", &format!("bearer {token}"))
        .send()
        .await;
    assert_eq!(lower.status, StatusCode::OK);
}

#[tokio::test]
async fn jwt_01_none_in_any_spelling_is_refused() {
    let server = Server::start().await;
    let token = server.log_in(ALICE, PASSWORD).await.access;
    let payload = token.split('.').nth(1).unwrap();
    for alg in ["\"none\"", "\"None\"", "\"nOnE\"", "\"NONE\"", "\"\"", "null"] {
        let header =
            carnet_jose::base64url::encode(format!("{{\"alg\":{alg},\"typ\":\"at+jwt\"}}").as_bytes());
        for forged in [
            format!("{header}.{payload}."),
            format!("{header}.{payload}"),
            format!("{header}.{payload}.AA"),
        ] {
            assert_eq!(
                server.get("/auth/me").bearer(&forged).send().await.code(),
                "token_invalid",
                "{alg}"
            );
        }
    }
}

#[tokio::test]
async fn jwt_02_a_mac_made_with_the_public_key_is_refused() {
    let server = Server::start().await;
    let token = server.log_in(ALICE, PASSWORD).await.access;
    let payload = token.split('.').nth(1).unwrap();
    let jwks: serde_json::Value = server.get("/.well-known/jwks.json").send().await.json();
    let jwk = carnet_jose::Jwk::parse(&jwks["keys"][0].to_string()).unwrap();
    let pem = carnet_jose::AnyVerifyingKey::from_jwk(&jwk)
        .unwrap()
        .to_spki_pem()
        .unwrap();
    let kid = jwks["keys"][0]["kid"].as_str().unwrap();
    let header = carnet_jose::base64url::encode(
        format!("{{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"{kid}\"}}").as_bytes(),
    );
    for secret in [
        pem.clone(),
        pem.replace('\n', "\r\n"),
        pem.trim_end().to_owned(),
        jwks["keys"][0].to_string(),
    ] {
        let input = format!("{header}.{payload}");
        let mac = carnet_jose::primitive::hmac_sha256(secret.as_bytes(), &[input.as_bytes()]);
        let forged = format!("{input}.{}", carnet_jose::base64url::encode(&mac));
        assert_eq!(
            server.get("/auth/me").bearer(&forged).send().await.code(),
            "token_invalid"
        );
    }
}

#[tokio::test]
async fn jwt_22_a_monster_token_is_refused_at_once() {
    let server = Server::start().await;
    let dots = ".".repeat(200_000);
    assert_eq!(
        server.get("/auth/me").bearer(&dots).send().await.status,
        StatusCode::UNAUTHORIZED
    );
    let long = format!("{0}.{0}.{0}", "A".repeat(60_000));
    assert_eq!(
        server.get("/auth/me").bearer(&long).send().await.status,
        StatusCode::UNAUTHORIZED
    );
}
