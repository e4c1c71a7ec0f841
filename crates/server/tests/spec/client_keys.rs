//! Spec tests of `jwks_uri`: a client's keys, fetched where it keeps them (RFC 7591 §2, OpenID Connect Core §10.1.1).

use std::sync::atomic::Ordering;
use std::time::Duration;

use carnet_jose::{Algorithm, AnySigningKey, Signer, TokenType};
use carnet_oauth::client_auth::JWT_BEARER;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client_auth::{jwks, signer};
use crate::harness::{Reply, Server};
use crate::listener::{Listener, knocked_at};
use crate::registration::{OPEN, REGISTER, app_with, registered};
use crate::web::text;

const ISSUER: &str = "http://127.0.0.1:8080";

/// A server on this machine, whose client `jwtc` keeps its keys at this address.
async fn keys_at(uri: &str) -> Server {
    let keys = format!("jwks_uri = {uri:?}");
    Server::replacing(&[
        ("https://auth.example.com", ISSUER),
        ("jwks_file = \"jwtc.jwks.json\"", &keys),
    ])
    .await
}

/// A token request of this client with an assertion of this key.
async fn ask(server: &Server, id: &str, key: &Signer) -> Reply {
    let now = server.app.now_seconds();
    let mut jti = [0; 8];
    carnet_jose::primitive::fill_random(&mut jti).unwrap();
    let claims = json!({
        "iss": id, "sub": id, "aud": server.app.config.issuer.as_str(), "iat": now, "exp": now + 60,
        "jti": carnet_jose::base64url::encode(&jti),
    });
    let assertion = key.sign(&claims).unwrap();
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion.as_str()),
    ];
    server.post("/oauth/token").form(&fields).send().await
}

/// Another key, and the set with it alone.
fn next_key(kid: &str) -> (Signer, Value) {
    let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
    let jwk = key.verifying_key().to_jwk().unwrap().with_kid(kid);
    let set = json!({ "keys": [jwk] });
    (
        Signer::new(key, TokenType::Jwt, Some(kid.to_owned())).unwrap(),
        set,
    )
}

#[tokio::test]
async fn keys_are_fetched_when_they_are_needed_and_kept() {
    let listener = Listener::start().await;
    listener.says(&jwks());
    let server = keys_at(&format!("{}/jwks", listener.url)).await;
    assert_eq!(listener.asked().len(), 0, "nobody has asked for them");
    for _ in 0..3 {
        let reply = ask(&server, "jwtc", &signer("k1")).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    }
    assert_eq!(listener.asked().len(), 1);
}

#[tokio::test]
async fn a_key_that_is_not_known_yet_is_looked_for_once_in_thirty_seconds() {
    let listener = Listener::start().await;
    listener.says(&jwks());
    let server = keys_at(&format!("{}/jwks", listener.url)).await;
    assert_eq!(ask(&server, "jwtc", &signer("k1")).await.status, StatusCode::OK);
    listener.asked();
    let (next, set) = next_key("k2");
    listener.says(&set.to_string());
    for _ in 0..5 {
        assert_eq!(ask(&server, "jwtc", &next).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(listener.asked().len(), 0, "it was asked a moment ago");
    server.wait(Duration::from_secs(31)).await;
    assert_eq!(ask(&server, "jwtc", &next).await.status, StatusCode::OK);
    assert_eq!(listener.asked().len(), 1);
    assert_eq!(
        ask(&server, "jwtc", &signer("k1")).await.status,
        StatusCode::UNAUTHORIZED,
        "it was taken away"
    );
}

#[tokio::test]
async fn a_change_of_some_client_makes_nobody_fetch_keys_again() {
    let listener = Listener::start().await;
    listener.says(&jwks());
    let open = OPEN.replace("\"device_code\"", "\"client_credentials\"");
    let server = Server::replacing(&[
        ("https://auth.example.com", ISSUER),
        ("[first_party]", &format!("{open}\n[first_party]")),
    ])
    .await;
    let metadata = app_with(json!({
        "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": format!("{}/jwks", listener.url),
        "grant_types": ["authorization_code", "client_credentials"],
    }));
    let client = registered(&server, &metadata).await;
    for _ in 0..3 {
        let reply = ask(&server, text(&client, "client_id"), &signer("k1")).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        registered(&server, &metadata).await;
    }
    assert_eq!(listener.asked().len(), 1);
}

#[tokio::test]
async fn a_client_that_names_two_addresses_by_turns_makes_nobody_fetch_sooner() {
    let listener = Listener::start().await;
    listener.says(&jwks());
    let open = OPEN.replace("\"device_code\"", "\"client_credentials\"");
    let server = Server::replacing(&[
        ("https://auth.example.com", ISSUER),
        ("[first_party]", &format!("{open}\n[first_party]")),
    ])
    .await;
    let metadata = |place: &str| {
        app_with(json!({
            "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": format!("{}/{place}", listener.url),
            "grant_types": ["authorization_code", "client_credentials"],
        }))
    };
    let client = registered(&server, &metadata("a")).await;
    let id = text(&client, "client_id");
    for place in ["a", "b", "a", "b", "a", "b"] {
        let mut change = metadata(place);
        change["client_id"] = client["client_id"].clone();
        let call = server.call(Method::PUT, &format!("{REGISTER}/{id}"));
        let call = call.bearer(text(&client, "registration_access_token"));
        assert_eq!(call.json(&change).send().await.status, StatusCode::OK);
        // Somebody else registers meanwhile.
        registered(&server, &metadata(&format!("c{place}"))).await;
        let reply = ask(&server, id, &signer("k1")).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    }
    assert_eq!(listener.asked().len(), 2, "one of each address");
}

#[tokio::test]
async fn ad_08_keys_are_not_looked_for_where_nobody_may_look() {
    let (port, knocks) = knocked_at().await;
    let server = Server::with(&OPEN.replace("\"device_code\"", "\"client_credentials\"")).await;
    let mut said = Vec::new();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "0.0.0.0",
        "10.0.0.1",
        "169.254.169.254",
        "[fd00::1]",
        "[::ffff:7f00:1]",
    ] {
        let metadata = app_with(json!({
            "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": format!("https://{host}:{port}/jwks"),
            "grant_types": ["authorization_code", "client_credentials"],
        }));
        let client = registered(&server, &metadata).await;
        let reply = ask(&server, text(&client, "client_id"), &signer("k1")).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{reply:?}");
        said.push(reply.json());
    }
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(knocks.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn ad_08_neither_redirects_nor_what_is_no_key_set_is_believed() {
    let listener = Listener::start().await;
    let server = keys_at(&format!("{}/jwks", listener.url)).await;
    let elsewhere = Listener::start().await;
    elsewhere.says(&jwks());
    listener.answers(302, Some(&format!("{}/jwks", elsewhere.url)));
    assert_eq!(
        ask(&server, "jwtc", &signer("k1")).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(elsewhere.asked().len(), 0);
    for body in ["", "<html>", "[]", &"x".repeat(1_100_000)] {
        listener.answers(200, None);
        listener.says(body);
        server.wait(Duration::from_secs(31)).await;
        assert_eq!(
            ask(&server, "jwtc", &signer("k1")).await.status,
            StatusCode::UNAUTHORIZED
        );
    }
}

#[tokio::test]
async fn ca_09_an_assertion_has_the_registered_algorithm() {
    let server = Server::replacing(&[(
        "jwks_file = \"jwtc.jwks.json\"",
        "jwks_file = \"jwtc.jwks.json\"\nassertion_signing = \"ES256\"",
    )])
    .await;
    assert_eq!(
        ask(&server, "jwtc", &signer("k1")).await.status,
        StatusCode::UNAUTHORIZED
    );
    let server = Server::replacing(&[(
        "jwks_file = \"jwtc.jwks.json\"",
        "jwks_file = \"jwtc.jwks.json\"\nassertion_signing = \"Ed25519\"",
    )])
    .await;
    assert_eq!(ask(&server, "jwtc", &signer("k1")).await.status, StatusCode::OK);
}
