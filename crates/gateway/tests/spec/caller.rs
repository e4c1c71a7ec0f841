//! What a service is told of the caller beside headers: a signed assertion, and a token of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::{Form, Json, Router};
use carnet_jose::{Algorithm, KeySet, TokenType, Verifier, base64url};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use crate::harness::{Harness, ISSUER, NOW, Running, mirror};
use crate::rules::introspecting;

const ASSERTED: &str = r#"
    [assertion]
    issuer = "https://gateway.test"
    key_file = "assertion.pem"
    [[upstreams]]
    name = "service"
    urls = ["http://{service}"]
    assertion_audience = "orders"
    [[routes]]
    path = "/orders"
    upstream = "service"
    [[routes]]
    path = "/open"
    public = true
    upstream = "service"
"#;

async fn assertion(harness: &Harness, token: &str) -> String {
    let answer = harness
        .get("/orders", &format!("Authorization: Bearer {token}\r\n"))
        .await;
    answer.seen().header("X-Identity-Assertion").unwrap()
}

#[tokio::test]
async fn a_service_checks_who_asks_without_believing_the_network() {
    let harness = Harness::with(ASSERTED, mirror().await).await;
    let token = harness.issuer.token(&json!({ "sid": "s1" }));
    let signed = assertion(&harness, &token).await;
    let published = harness.get("/.well-known/identity-assertion-jwks.json", "").await;
    assert!(
        published.head.contains("application/jwk-set+json"),
        "{published:?}"
    );
    let keys = KeySet::from_jwks_json(published.body.as_bytes(), &[Algorithm::Es256])
        .unwrap()
        .set;
    let keys = Arc::new(keys);
    let verifier = |audience: &str| {
        Verifier::builder(keys.clone())
            .algorithms(&[Algorithm::Es256])
            .token_type(TokenType::Other("identity+jwt"))
            .issuer("https://gateway.test")
            .audience(audience)
            .build()
            .unwrap()
    };
    let verified = verifier("orders")
        .verify_owned::<Map<String, Value>>(&signed, NOW)
        .unwrap();
    assert_eq!(
        Value::Object(verified.claims),
        json!({
            "iss": "https://gateway.test", "aud": "orders", "sub": "user_1", "client_id": "web", "sid": "s1",
            "scope": "read:orders", "roles": ["editor", "reviewer"], "iat": NOW, "exp": NOW + 60,
            "sub_id": { "format": "iss_sub", "iss": ISSUER, "sub": "user_1" },
        })
    );
    assert!(
        verifier("billing")
            .verify_owned::<Map<String, Value>>(&signed, NOW)
            .is_err()
    );
    // It is no token: the gateway itself does not take it for one.
    let answer = harness
        .get("/orders", &format!("Authorization: Bearer {signed}\r\n"))
        .await;
    assert_eq!(answer.status, 401);
    // Nobody is asserted where nobody was asked for a token, and nobody's own assertion goes through.
    let seen = harness
        .get("/open", &format!("X-Identity-Assertion: {signed}\r\n"))
        .await
        .seen();
    assert_eq!(seen.header("X-Identity-Assertion"), None);
}

#[tokio::test]
async fn of_a_token_of_which_its_issuer_says_another_thing_the_assertion_says_what_the_headers_say() {
    let (harness, server, _running) = introspecting(ASSERTED).await;
    let mut signed = Vec::new();
    for (promoted, role) in [
        (false, "editor"),
        (false, "editor"),
        (true, "admin"),
        (false, "editor"),
    ] {
        server.promoted.store(promoted, Ordering::SeqCst);
        let seen = harness
            .get("/orders", "Authorization: Bearer ref_good\r\n")
            .await
            .seen();
        assert_eq!(seen.header("X-User-Roles").as_deref(), Some(role));
        let assertion = seen.header("X-Identity-Assertion").unwrap();
        let claims = base64url::decode(assertion.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["roles"], json!([role]));
        signed.push(assertion);
    }
    // Who says the same is not signed for again.
    assert!(signed[0] == signed[1] && signed[0] == signed[3]);
}

#[tokio::test]
async fn an_assertion_is_signed_once_for_half_of_its_life_and_ends_with_the_token() {
    let harness = Harness::with(ASSERTED, mirror().await).await;
    let token = harness.issuer.token(&json!({}));
    let first = assertion(&harness, &token).await;
    harness.clock.wait(Duration::from_secs(29));
    assert_eq!(assertion(&harness, &token).await, first);
    harness.clock.wait(Duration::from_secs(1));
    let second = assertion(&harness, &token).await;
    assert_ne!(second, first);
    let other = harness.issuer.token(&json!({ "sub": "user_2", "exp": NOW + 40 }));
    let claims = carnet_jose::dangerous::decode(&assertion(&harness, &other).await)
        .unwrap()
        .payload;
    assert_eq!(
        (&claims["sub"], &claims["exp"]),
        (&json!("user_2"), &json!(NOW + 40))
    );
}

/// An authorization server that exchanges tokens, counts, and answers when it is let.
#[derive(Clone)]
struct Server {
    asked: Arc<AtomicUsize>,
    open: Arc<Semaphore>,
}

async fn exchange(
    State(server): State<Server>,
    headers: HeaderMap,
    Form(form): Form<Map<String, Value>>,
) -> (StatusCode, Json<Value>) {
    let number = server.asked.fetch_add(1, Ordering::SeqCst);
    drop(server.open.acquire().await);
    assert_eq!(headers["authorization"], "Basic Z2F0ZXdheTpzM2NyZXQ=");
    assert_eq!(
        form["grant_type"],
        "urn:ietf:params:oauth:grant-type:token-exchange"
    );
    assert_eq!(
        form["subject_token_type"],
        "urn:ietf:params:oauth:token-type:access_token"
    );
    assert_eq!(
        (&form["resource"], &form["scope"]),
        (&json!("https://billing.test"), &json!("bill"))
    );
    let claims = carnet_jose::dangerous::decode(form["subject_token"].as_str().unwrap())
        .unwrap()
        .payload;
    if claims["sub"] == "locked" {
        return (
            StatusCode::BAD_REQUEST,
            Json(json!({ "error": "invalid_request" })),
        );
    }
    let token =
        json!({ "access_token": format!("exchanged-{number}"), "token_type": "Bearer", "expires_in": 90 });
    (StatusCode::OK, Json(token))
}

async fn exchanging() -> (Harness, Server, Running) {
    let server = Server {
        asked: Arc::default(),
        open: Arc::new(Semaphore::new(100)),
    };
    let router = Router::new().fallback(exchange).with_state(server.clone());
    let running = Running::start(router).await;
    let text = r#"
        [exchange]
        token_url = "http://{server}/oauth/token"
        client_id = "gateway"
        client_secret_file = "client.secret"
        [[upstreams]]
        name = "service"
        urls = ["http://{service}"]
        [[routes]]
        path = "/bills"
        upstream = "service"
        exchange = { resource = "https://billing.test", scope = "bill" }
    "#;
    let text = text.replace("{server}", &running.address.to_string());
    (Harness::with(&text, mirror().await).await, server, running)
}

#[tokio::test]
async fn a_service_gets_a_token_of_its_own_that_is_asked_for_once() {
    let (harness, server, _running) = exchanging().await;
    let token = harness.issuer.token(&json!({}));
    let headers = format!("Authorization: Bearer {token}\r\n");
    let passed_on = async || {
        harness
            .get("/bills", &headers)
            .await
            .seen()
            .header("Authorization")
    };
    // Twenty at the same time: one question.
    let closed = server.open.acquire_many(100).await.unwrap();
    let waiting = async {
        while server.asked.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        drop(closed);
    };
    let all = futures_util::future::join_all((0..20).map(|_| passed_on()));
    let (all, ()) = tokio::join!(all, waiting);
    assert!(
        all.iter()
            .all(|token| token.as_deref() == Some("Bearer exchanged-0")),
        "{all:?}"
    );
    // It is handed out until 30 seconds before its end.
    harness.clock.wait(Duration::from_secs(59));
    assert_eq!(passed_on().await.as_deref(), Some("Bearer exchanged-0"));
    harness.clock.wait(Duration::from_secs(1));
    assert_eq!(passed_on().await.as_deref(), Some("Bearer exchanged-1"));
    assert_eq!(server.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn without_a_token_of_its_own_a_service_gets_no_request() {
    let (harness, _, running) = exchanging().await;
    let locked = harness.issuer.token(&json!({ "sub": "locked" }));
    let answer = harness
        .get("/bills", &format!("Authorization: Bearer {locked}\r\n"))
        .await;
    assert_eq!(
        (answer.status, answer.code()),
        (403, "exchange_refused".to_owned())
    );
    drop(running);
    let other = harness.issuer.token(&json!({ "sub": "user_2" }));
    let headers = format!("Authorization: Bearer {other}\r\n");
    let mut answer = harness.get("/bills", &headers).await;
    for _ in 0..50 {
        if answer.status == 503 {
            break;
        }
        answer = harness.get("/bills", &headers).await;
    }
    assert_eq!(
        (answer.status, answer.code()),
        (503, "exchange_unavailable".to_owned())
    );
    assert!(answer.head.contains("retry-after: 5"), "{answer:?}");
}
