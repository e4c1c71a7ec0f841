//! Spec tests of client authentication (RFC 6749 §2.3, RFC 7523).

use std::sync::LazyLock;

use carnet_jose::{Algorithm, AnySigningKey, Signer, TokenType};
use carnet_oauth::client_auth::JWT_BEARER;
use http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Call, Reply, Server, claims, secret_of};

pub(crate) const TOKEN: &str = "/oauth/token";
const ISSUER: &str = "https://auth.example.com";

/// The key of the client `jwtc`.
static KEY: LazyLock<Signer> = LazyLock::new(|| signer("k1"));

/// What the client `jwtc` is registered with.
pub(crate) fn jwks() -> String {
    static JWKS: LazyLock<String> = LazyLock::new(|| {
        let key = AnySigningKey::from_pem(PEM, Algorithm::Ed25519).unwrap();
        let jwk = key.verifying_key().to_jwk().unwrap().with_kid("k1");
        json!({ "keys": [jwk] }).to_string()
    });
    JWKS.clone()
}

/// The key of RFC 8037, appendix A.1.
pub(crate) const PEM: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
";

pub(crate) fn signer(kid: &str) -> Signer {
    let key = AnySigningKey::from_pem(PEM, Algorithm::Ed25519).unwrap();
    Signer::new(key, TokenType::Jwt, Some(kid.to_owned())).unwrap()
}

pub(crate) fn assertion(server: &Server, change: impl FnOnce(&mut Value)) -> String {
    let now = server.app.now_seconds();
    let mut jti = [0; 8];
    carnet_jose::primitive::fill_random(&mut jti).unwrap();
    let mut claims = json!({
        "iss": "jwtc", "sub": "jwtc", "aud": ISSUER, "iat": now, "exp": now + 60,
        "jti": carnet_jose::base64url::encode(&jti),
    });
    change(&mut claims);
    KEY.sign(&claims).unwrap()
}

pub(crate) async fn with_assertion(server: &Server, assertion: &str) -> Reply {
    server
        .post(TOKEN)
        .form(&[
            ("grant_type", "client_credentials"),
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", assertion),
        ])
        .send()
        .await
}

pub(crate) fn svc<'a>(server: &'a Server, more: &[(&str, &str)]) -> Call<'a> {
    let secret = secret_of("svc.secret");
    let mut fields = vec![
        ("grant_type", "client_credentials"),
        ("client_id", "svc"),
        ("client_secret", secret.as_str()),
    ];
    fields.extend(more);
    server.post(TOKEN).form(&fields)
}

pub(crate) fn assert_refused(reply: &Reply, status: StatusCode, error: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.json()["error"], error, "{reply:?}");
    assert!(reply.json().get("access_token").is_none());
}

#[tokio::test]
async fn ca_01_two_ways_at_once_authenticate_nobody() {
    let server = Server::start().await;
    let both = svc(&server, &[]).basic("svc", "svc.secret").send().await;
    assert_refused(&both, StatusCode::BAD_REQUEST, "invalid_request");
    let jwt = assertion(&server, |_| {});
    let both = svc(
        &server,
        &[("client_assertion_type", JWT_BEARER), ("client_assertion", &jwt)],
    )
    .send()
    .await;
    assert_refused(&both, StatusCode::BAD_REQUEST, "invalid_request");
    let twice = svc(&server, &[])
        .header("authorization", "Basic YTpi")
        .header("authorization", "Basic YTpj")
        .send()
        .await;
    assert_ne!(twice.status, StatusCode::OK);
    let other = svc(&server, &[]).form(&[("grant_type", "client_credentials"), ("client_id", "svc")]);
    let other = other.basic("web", "web.secret").send().await;
    assert_refused(&other, StatusCode::BAD_REQUEST, "invalid_request");
}

#[tokio::test]
async fn ca_02_only_the_registered_method_counts() {
    let server = Server::start().await;
    let basic = server
        .post(TOKEN)
        .basic("svc", "svc.secret")
        .form(&[("grant_type", "client_credentials")])
        .send()
        .await;
    assert_refused(&basic, StatusCode::UNAUTHORIZED, "invalid_client");
    assert!(basic.header("www-authenticate").starts_with("Basic"));
    for id in ["svc", "jwtc", "web"] {
        let none = server
            .post(TOKEN)
            .form(&[("grant_type", "client_credentials"), ("client_id", id)])
            .send()
            .await;
        assert_refused(&none, StatusCode::UNAUTHORIZED, "invalid_client");
    }
    let secret = server
        .post(TOKEN)
        .form(&[
            ("grant_type", "client_credentials"),
            ("client_id", "jwtc"),
            ("client_secret", "x"),
        ])
        .send()
        .await;
    assert_refused(&secret, StatusCode::UNAUTHORIZED, "invalid_client");
}

#[tokio::test]
async fn ca_04_an_unknown_client_and_a_wrong_secret_get_one_answer() {
    let server = Server::start().await;
    let wrong = server
        .post(TOKEN)
        .form(&[
            ("grant_type", "client_credentials"),
            ("client_id", "svc"),
            ("client_secret", "wrong"),
        ])
        .send()
        .await;
    let unknown = server
        .post(TOKEN)
        .form(&[
            ("grant_type", "client_credentials"),
            ("client_id", "nobody"),
            ("client_secret", "wrong"),
        ])
        .send()
        .await;
    assert_refused(&wrong, StatusCode::UNAUTHORIZED, "invalid_client");
    assert_eq!(wrong.body, unknown.body);
    // A client of the login API is none of the token endpoint.
    for id in ["first-party", "mobile"] {
        let reply = server
            .post(TOKEN)
            .form(&[
                ("grant_type", "refresh_token"),
                ("client_id", id),
                ("refresh_token", "x"),
            ])
            .send()
            .await;
        assert_refused(&reply, StatusCode::UNAUTHORIZED, "invalid_client");
    }
}

#[tokio::test]
async fn a_client_proves_itself_by_its_own_key() {
    let server = Server::start().await;
    let reply = with_assertion(&server, &assertion(&server, |_| {})).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert_eq!(
        claims(reply.json()["access_token"].as_str().unwrap())["sub"],
        "jwtc"
    );
}

#[tokio::test]
async fn ca_05_an_assertion_is_for_us_alone() {
    let server = Server::start().await;
    for aud in [
        json!("https://auth.example.com/oauth/token"),
        json!("https://auth.example.com/"),
        json!([ISSUER, "https://evil.example.com"]),
        json!([ISSUER, ISSUER]),
        json!([]),
        Value::Null,
    ] {
        let reply = with_assertion(&server, &assertion(&server, |claims| claims["aud"] = aud.clone())).await;
        assert_refused(&reply, StatusCode::UNAUTHORIZED, "invalid_client");
    }
    let reply = with_assertion(
        &server,
        &assertion(&server, |claims| claims["aud"] = json!([ISSUER])),
    )
    .await;
    assert_eq!(reply.status, StatusCode::OK);
}

#[tokio::test]
async fn ca_06_an_assertion_counts_once() {
    let server = Server::start().await;
    let once = assertion(&server, |_| {});
    assert_eq!(with_assertion(&server, &once).await.status, StatusCode::OK);
    assert_refused(
        &with_assertion(&server, &once).await,
        StatusCode::UNAUTHORIZED,
        "invalid_client",
    );
}

#[tokio::test]
async fn ca_08_what_an_assertion_says_must_be_whole_and_short_lived() {
    let server = Server::start().await;
    let now = server.app.now_seconds();
    let changes: [(&str, Value); 9] = [
        ("iat", json!(now + 300)),
        ("iss", json!("svc")),
        ("sub", json!("svc")),
        ("exp", json!(now - 60)),
        ("exp", json!(now + 86_400)),
        ("exp", Value::Null),
        ("jti", Value::Null),
        ("jti", json!("")),
        ("nbf", json!(now + 300)),
    ];
    for (name, value) in changes {
        let jwt = assertion(&server, |claims| {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        });
        let reply = with_assertion(&server, &jwt).await;
        assert_refused(&reply, StatusCode::UNAUTHORIZED, "invalid_client");
    }
}

#[tokio::test]
async fn ca_09_only_the_registered_key_signs_assertions() {
    let server = Server::start().await;
    let now = server.app.now_seconds();
    let claims = json!({ "iss": "jwtc", "sub": "jwtc", "aud": ISSUER, "exp": now + 60, "jti": "x1" });
    let stranger = AnySigningKey::generate(Algorithm::Ed25519).unwrap();
    let stranger = Signer::new(stranger, TokenType::Jwt, Some("k1".to_owned())).unwrap();
    let mac = AnySigningKey::from_secret(&[7; 32], Algorithm::Hs256).unwrap();
    let mac = Signer::new(mac, TokenType::Jwt, Some("k1".to_owned())).unwrap();
    let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJqd3RjIn0.".to_owned();
    for jwt in [
        stranger.sign(&claims).unwrap(),
        mac.sign(&claims).unwrap(),
        none,
        "x.y.z".to_owned(),
    ] {
        assert_refused(
            &with_assertion(&server, &jwt).await,
            StatusCode::UNAUTHORIZED,
            "invalid_client",
        );
    }
    // The right key under a name that is not registered.
    let renamed = signer("k2").sign(&claims).unwrap();
    assert_refused(
        &with_assertion(&server, &renamed).await,
        StatusCode::UNAUTHORIZED,
        "invalid_client",
    );
}

#[tokio::test]
async fn ca_11_failures_are_counted_and_the_right_secret_still_counts() {
    let server = Server::start().await;
    let wrong = [
        ("grant_type", "client_credentials"),
        ("client_id", "svc"),
        ("client_secret", "wrong"),
    ];
    let mut last = StatusCode::OK;
    for _ in 0..30 {
        last = server.post(TOKEN).form(&wrong).send().await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    assert!(server.audit().await.len() < 30, "no row for each");
    assert_eq!(svc(&server, &[]).send().await.status, StatusCode::OK);
    let elsewhere = server
        .post(TOKEN)
        .form(&wrong)
        .from([192, 0, 2, 1])
        .header("x-forwarded-for", "203.0.113.9")
        .send()
        .await;
    assert_eq!(elsewhere.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_assertion_may_say_that_it_is_one() {
    let server = Server::start().await;
    let now = server.app.now_seconds();
    let key = AnySigningKey::from_pem(PEM, Algorithm::Ed25519).unwrap();
    let typ = TokenType::Other("client-authentication+jwt");
    let typed = Signer::new(key, typ, Some("k1".to_owned())).unwrap();
    let claims = json!({ "iss": "jwtc", "sub": "jwtc", "aud": ISSUER, "exp": now + 60, "jti": "typed" });
    let reply = with_assertion(&server, &typed.sign(&claims).unwrap()).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let key = AnySigningKey::from_pem(PEM, Algorithm::Ed25519).unwrap();
    let other = Signer::new(key, TokenType::AccessToken, Some("k1".to_owned())).unwrap();
    let reply = with_assertion(&server, &other.sign(&claims).unwrap()).await;
    assert_refused(&reply, StatusCode::UNAUTHORIZED, "invalid_client");
}

#[tokio::test]
async fn ca_08_times_may_have_fractions_and_clocks_be_ten_seconds_apart() {
    let server = Server::start().await;
    let now = server.app.now_seconds();
    let at = |seconds: i64| json!(now.checked_add_signed(seconds).unwrap());
    let fraction = json!(now as f64 + 50.5);
    for (exp, iat) in [
        (fraction.clone(), json!(now as f64 - 0.25)),
        (fraction, json!(now)),
        (at(-3), at(-60)),
        (at(-9), at(-60)),
    ] {
        let jwt = assertion(&server, |claims| {
            (claims["exp"], claims["iat"]) = (exp.clone(), iat.clone());
        });
        let reply = with_assertion(&server, &jwt).await;
        assert_eq!(reply.status, StatusCode::OK, "{exp} {iat}: {reply:?}");
        // Once, for as long as it could come back.
        let again = with_assertion(&server, &jwt).await;
        assert_refused(&again, StatusCode::UNAUTHORIZED, "invalid_client");
    }
    for exp in [at(-10), at(-11), json!(-1.5), json!("1795255260")] {
        let jwt = assertion(&server, |claims| claims["exp"] = exp.clone());
        let reply = with_assertion(&server, &jwt).await;
        assert_refused(&reply, StatusCode::UNAUTHORIZED, "invalid_client");
    }
}
