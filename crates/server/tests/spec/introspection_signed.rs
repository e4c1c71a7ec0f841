//! Spec tests of signed introspection answers (RFC 9701).

use std::sync::Arc;
use std::time::Duration;

use carnet_jose::{Algorithm, KeySet, TokenType, Verifier};
use http::StatusCode;
use serde_json::{Value, json};

use crate::authorize::ISSUER;
use crate::harness::{ALICE, PASSWORD, Reply, SHARED_API, Server};

/// Asks about a token, accepting this.
async fn ask_accepting(server: &Server, (id, secret): (&str, &str), token: &str, accept: &str) -> Reply {
    let call = server
        .post("/oauth/introspect")
        .basic(id, secret)
        .header("accept", accept);
    call.form(&[("token", token)]).send().await
}

/// What a signed answer says, checked as RFC 9701 §5 and §8.1 say.
async fn checked(server: &Server, id: &str, reply: &Reply) -> Value {
    assert_eq!(reply.header("content-type"), JWT, "{reply:?}");
    let published = server.get("/.well-known/jwks.json").send().await.body;
    let algorithms = [Algorithm::Es256, Algorithm::Rs256, Algorithm::Ed25519];
    let keys = KeySet::from_jwks_json(&published, &algorithms).unwrap().set;
    let verifier = Verifier::builder(Arc::new(keys))
        .algorithms(&algorithms)
        .token_type(TokenType::Other("token-introspection+jwt"))
        .issuer(ISSUER)
        .audience(id)
        .without_expiry_check()
        .max_token_age(Duration::ZERO)
        .build()
        .unwrap();
    let now = u64::try_from(server.app_now() / 1000).unwrap();
    let token = std::str::from_utf8(&reply.body).unwrap();
    let claims = verifier.verify_owned::<Value>(token, now).unwrap().claims;
    let mut names: Vec<_> = claims.as_object().unwrap().keys().cloned().collect();
    names.sort();
    assert_eq!(
        names,
        ["aud", "iat", "iss", "token_introspection"],
        "no sub and no exp of its own"
    );
    claims["token_introspection"].clone()
}

const JWT: &str = "application/token-introspection+jwt";
const ORDERS: (&str, &str) = ("orders-api", "orders.secret");

#[tokio::test]
async fn whoever_accepts_a_signed_answer_gets_the_same_words_signed() {
    let server = Server::start().await;
    let token = server.log_in(ALICE, PASSWORD).await.access;
    let plain = ask_accepting(&server, ORDERS, &token, "application/json").await;
    assert_eq!(plain.header("content-type"), "application/json");
    let reply = ask_accepting(&server, ORDERS, &token, JWT).await;
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(checked(&server, "orders-api", &reply).await, plain.json());
    // §5: of what is not for this resource nothing is said but that.
    let body = json!({ "email": ALICE, "password": PASSWORD, "audience": SHARED_API });
    let theirs = server.post("/auth/login").json(&body).send().await.json();
    let theirs = theirs["access_token"].as_str().unwrap();
    for token in [theirs, "x"] {
        let reply = ask_accepting(&server, ORDERS, token, JWT).await;
        assert_eq!(
            checked(&server, "orders-api", &reply).await,
            json!({ "active": false })
        );
    }
    // Where tokens have a shared secret, answers are signed with what is published.
    let legacy = ("legacy-api", "legacy-introspection.secret");
    let reply = ask_accepting(&server, legacy, theirs, JWT).await;
    assert_eq!(checked(&server, "legacy-api", &reply).await["active"], true);
    // §8.1: an answer is no token.
    let answer = String::from_utf8(reply.body.to_vec()).unwrap();
    let reply = ask_accepting(&server, ORDERS, &answer, "*/*").await;
    assert_eq!(reply.json(), json!({ "active": false }));
}

#[tokio::test]
async fn a_signature_is_for_those_who_accept_it_and_metadata_says_with_what() {
    let server = Server::start().await;
    for (accept, signed) in [
        (JWT, true),
        (
            "application/json, application/token-introspection+jwt;q=0.5",
            true,
        ),
        ("Application/Token-Introspection+JWT", true),
        ("application/token-introspection+jwt;q=0", false),
        ("application/token-introspection+jwt; q=0.000", false),
        ("application/jwt", false),
        ("*/*", false),
        ("", false),
    ] {
        let reply = ask_accepting(&server, ORDERS, "x", accept).await;
        assert_eq!(reply.header("content-type") == JWT, signed, "{accept}");
    }
    let stranger = ask_accepting(&server, ("orders-api", "guess"), "x", JWT).await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
    assert_eq!(stranger.json()["error"], "invalid_client");
    let metadata = server
        .get("/.well-known/oauth-authorization-server")
        .send()
        .await
        .json();
    let signing = &metadata["introspection_signing_alg_values_supported"];
    assert!(
        signing
            .as_array()
            .is_some_and(|names| names.contains(&json!("ES256"))),
        "{metadata}"
    );
}
