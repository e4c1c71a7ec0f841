//! Tokens that only their issuer can read (RFC 7662), as an API meets them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use carnet_guard::testing::TestIssuer;
use carnet_guard::{BuildError, Clock as _, Guard, Introspection, Issuer, ResourceServer};
use carnet_jose::AnySigningKey;
use carnet_oauth::dpop::{Prover, Request};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::api::{API, call, with_token};
use crate::issuers::{Frozen, Key, Pretended};

const NAME: &str = "https://opaque.test";

/// An introspection endpoint that says what it was told to say, and remembers what it was asked.
#[derive(Clone)]
pub(crate) struct Teller {
    url: String,
    told: Arc<Told>,
}

#[derive(Default)]
struct Told {
    answers: Mutex<HashMap<String, Value>>,
    asked: Mutex<Vec<String>>,
    /// Held while nobody is to be answered.
    gate: tokio::sync::Mutex<()>,
    down: Mutex<bool>,
}

impl Teller {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/introspect", listener.local_addr().unwrap());
        let told = Arc::new(Told::default());
        let routes = Router::new()
            .route("/introspect", post(tell))
            .with_state(told.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, told }
    }

    pub(crate) fn says(&self, token: &str, answer: Value) {
        self.told.answers.lock().unwrap().insert(token.to_owned(), answer);
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.told.asked.lock().unwrap().clone()
    }

    pub(crate) fn issuer(&self, name: &str) -> Issuer {
        let introspection = Introspection::at(&self.url, "api", "secret").cache(Duration::from_secs(30));
        Issuer::opaque(name, introspection)
    }

    async fn guard(&self, clock: &Frozen) -> Guard {
        let server = ResourceServer::new(API).issuer(self.issuer(NAME));
        server.clock(clock.clone()).build().await.unwrap()
    }
}

async fn tell(State(told): State<Arc<Told>>, form: String) -> Response {
    let form: HashMap<String, String> = url::form_urlencoded::parse(form.as_bytes())
        .into_owned()
        .collect();
    let token = form["token"].clone();
    told.asked.lock().unwrap().push(token.clone());
    drop(told.gate.lock().await);
    if *told.down.lock().unwrap() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let answer = told.answers.lock().unwrap().get(&token).cloned();
    Json(answer.unwrap_or(json!({ "active": false }))).into_response()
}

fn good(clock: &Frozen) -> Value {
    let now = clock.since_epoch().as_secs();
    json!({ "active": true, "iss": NAME, "aud": API, "sub": "alice", "client_id": "web", "exp": now + 600, "scope": "read:orders" })
}

fn with(mut answer: Value, name: &str, value: Value) -> Value {
    answer[name] = value;
    answer
}

fn without(mut answer: Value, name: &str) -> Value {
    answer.as_object_mut().unwrap().remove(name);
    answer
}

#[tokio::test]
async fn an_opaque_token_gets_in_with_what_its_issuer_says_of_it() {
    let (teller, clock) = (Teller::start().await, Frozen::new());
    let guard = teller.guard(&clock).await;
    teller.says("2YotnFZFEjr1", with(good(&clock), "team", json!("red")));
    let answer = with_token(&guard, "/me", "2YotnFZFEjr1").await;
    assert_eq!(
        answer.body,
        json!({ "sub": "alice", "client": "web", "team": "red" })
    );
    assert_eq!(
        with_token(&guard, "/orders", "2YotnFZFEjr1").await.status,
        StatusCode::OK
    );
    assert_eq!(
        with_token(&guard, "/both", "2YotnFZFEjr1").await.code(),
        "insufficient_scope"
    );
    assert_eq!(with_token(&guard, "/me", "another").await.code(), "token_invalid");
    assert_eq!(teller.asked(), ["2YotnFZFEjr1", "another"]);
    // Where nobody signs, a JWT is opaque too.
    let jwt = TestIssuer::new().token("alice").sign();
    teller.says(&jwt, good(&clock));
    assert_eq!(with_token(&guard, "/me", &jwt).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_answer_is_held_against_the_same_policy_as_a_jwt() {
    let (teller, clock) = (Teller::start().await, Frozen::new());
    let guard = teller.guard(&clock).await;
    let now = clock.since_epoch().as_secs();
    let good = good(&clock);
    let mut wrong: Vec<Value> = ["iss", "aud", "exp", "sub", "client_id"]
        .iter()
        .map(|name| without(good.clone(), name))
        .collect();
    for (name, value) in [
        ("iss", json!("https://opaque.test/")),
        ("iss", json!([NAME])),
        ("sub", json!("")),
        ("aud", json!("https://other.test")),
        ("aud", json!([])),
        ("aud", json!([API, 1])),
        ("aud", json!("https://api.test.evil")),
        ("aud", json!({ "0": API })),
        ("exp", json!((now + 600).to_string())),
        ("exp", json!(-1)),
        ("exp", json!(null)),
        ("exp", json!(true)),
        ("nbf", json!(now + 31)),
        ("nbf", json!("0")),
        ("iat", json!("0")),
        ("sub", json!(7)),
        ("sub", json!(null)),
        ("client_id", json!(["web"])),
        ("scope", json!(7)),
        ("scope", json!(["read:orders", 7])),
        ("jti", json!(7)),
        ("sid", json!({})),
        ("cnf", json!({ "jkt": "x" })),
        ("cnf", json!({ "unknown": "x" })),
        ("cnf", json!({})),
        ("active", json!(false)),
    ] {
        wrong.push(with(good.clone(), name, value));
    }
    for (number, answer) in wrong.into_iter().enumerate() {
        let token = format!("token-{number}");
        teller.says(&token, answer.clone());
        let refused = with_token(&guard, "/me", &token).await;
        assert_eq!(
            (refused.status, refused.code()),
            (StatusCode::UNAUTHORIZED, "token_invalid"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn an_answer_may_name_several_audiences_and_scopes_as_an_array() {
    let (teller, clock) = (Teller::start().await, Frozen::new());
    let guard = teller.guard(&clock).await;
    let now = clock.since_epoch().as_secs();
    let good = good(&clock);
    teller.says("over", with(good.clone(), "exp", json!(now)));
    assert_eq!(with_token(&guard, "/me", "over").await.code(), "token_expired");
    for (number, (name, value)) in [
        ("aud", json!(["https://other.test", API])),
        ("nbf", json!(now + 30)),
        ("scope", json!(["read:orders"])),
    ]
    .into_iter()
    .enumerate()
    {
        let token = format!("good-{number}");
        teller.says(&token, with(good.clone(), name, value));
        assert_eq!(
            with_token(&guard, "/orders", &token).await.status,
            StatusCode::OK,
            "{name}"
        );
    }
}

#[tokio::test]
async fn an_issuer_may_be_excused_from_claims_but_not_from_what_it_says() {
    let (teller, clock) = (Teller::start().await, Frozen::new());
    let issuer = teller.issuer(NAME).may_lack(["iss", "aud", "client_id"]);
    let guard = ResourceServer::new(API).issuer(issuer).clock(clock.clone());
    let guard = guard.build().await.unwrap();
    let bare = ["iss", "aud", "client_id"]
        .into_iter()
        .fold(good(&clock), without);
    teller.says("bare", bare.clone());
    teller.says("other", with(bare.clone(), "aud", json!("https://other.test")));
    teller.says("stranger", with(bare.clone(), "iss", json!("https://evil.test")));
    teller.says("endless", without(bare, "exp"));
    assert_eq!(with_token(&guard, "/me", "bare").await.status, StatusCode::OK);
    for token in ["other", "stranger", "endless"] {
        assert_eq!(
            with_token(&guard, "/me", token).await.code(),
            "token_invalid",
            "{token}"
        );
    }
}

#[tokio::test]
async fn row_19_an_answer_is_believed_for_its_time_and_never_longer() {
    let (teller, clock) = (Teller::start().await, Frozen::new());
    let guard = teller.guard(&clock).await;
    let now = clock.since_epoch().as_secs();
    teller.says("t", good(&clock));
    teller.says("short", with(good(&clock), "exp", json!(now + 10)));
    let code = async |token: &str| with_token(&guard, "/me", token).await.status.as_u16();
    assert_eq!(
        (code("t").await, code("short").await, code("no").await),
        (200, 200, 401)
    );
    assert_eq!(
        (code("t").await, code("short").await, code("no").await),
        (200, 200, 401)
    );
    assert_eq!(teller.asked().len(), 3);
    // A no is believed for five seconds.
    clock.wait(5);
    teller.says("no", good(&clock));
    assert_eq!(code("no").await, 200);
    assert_eq!(teller.asked().len(), 4);
    // Nothing outlives the token, nor thirty seconds, nor an outage.
    clock.wait(5);
    assert_eq!(code("short").await, 401);
    *teller.told.down.lock().unwrap() = true;
    clock.wait(19);
    assert_eq!(code("t").await, 200);
    clock.wait(1);
    assert_eq!(code("t").await, 503);
}

#[tokio::test]
async fn row_19_a_crowd_with_one_token_asks_once() {
    let (teller, clock) = (Teller::start().await, Frozen::new());
    let guard = teller.guard(&clock).await;
    teller.says("t", good(&clock));
    let gate = teller.told.gate.lock().await;
    let crowd: Vec<_> = (0..50)
        .map(|_| {
            let guard = guard.clone();
            tokio::spawn(async move { with_token(&guard, "/me", "t").await.status })
        })
        .collect();
    while teller.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(gate);
    for caller in crowd {
        assert_eq!(caller.await.unwrap(), StatusCode::OK);
    }
    assert_eq!(teller.asked().len(), 1);
}

#[tokio::test]
async fn gw_13_without_an_answer_nobody_gets_in() {
    let (teller, clock) = (Teller::start().await, Frozen::new());
    let guard = teller.guard(&clock).await;
    teller.says("t", good(&clock));
    *teller.told.down.lock().unwrap() = true;
    let answer = with_token(&guard, "/me", "t").await;
    assert_eq!(
        (answer.status, answer.code(), answer.retry_after.as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "5")
    );
    *teller.told.down.lock().unwrap() = false;
    assert_eq!(with_token(&guard, "/me", "t").await.status, StatusCode::OK);
}

#[tokio::test]
async fn who_is_asked_about_a_token_depends_on_the_token_alone() {
    let (key, clock) = (Key::new("a"), Frozen::new());
    let signing = Pretended::start(&[&key]).await;
    let (one, two, rest) = (
        Teller::start().await,
        Teller::start().await,
        Teller::start().await,
    );
    let guard = ResourceServer::new(API)
        .issuer(rest.issuer("https://rest.test"))
        .issuer(Issuer::discover(&signing.url))
        .issuer(one.issuer("https://one.test").prefix("one_"))
        .issuer(two.issuer("https://two.test").prefix("two_"));
    let guard = guard.clock(clock.clone()).build().await.unwrap();
    for (teller, token, name) in [
        (&one, "one_t", "https://one.test"),
        (&two, "two_t", "https://two.test"),
        (&rest, "three_t", "https://rest.test"),
    ] {
        teller.says(token, with(good(&clock), "iss", json!(name)));
        assert_eq!(with_token(&guard, "/me", token).await.status, StatusCode::OK);
    }
    // What one issuer says of another's token counts nothing, and a JWT is nobody's but its signer's.
    one.says(
        "one_stranger",
        with(good(&clock), "iss", json!("https://two.test")),
    );
    assert_eq!(
        with_token(&guard, "/me", "one_stranger").await.code(),
        "token_invalid"
    );
    let jwt = signing.token(&key, &clock);
    assert_eq!(with_token(&guard, "/me", &jwt).await.status, StatusCode::OK);
    let forged = TestIssuer::new().token("alice").audience(API).sign();
    rest.says(&forged, with(good(&clock), "iss", json!("https://rest.test")));
    assert_eq!(with_token(&guard, "/me", &forged).await.code(), "token_invalid");
    assert_eq!(
        (one.asked().len(), two.asked(), rest.asked()),
        (2, vec!["two_t".to_owned()], vec!["three_t".to_owned()])
    );
    for (prefixes, clear) in [
        ([None, None], false),
        ([Some("a"), None], true),
        ([Some("a"), Some("ab")], false),
        ([Some("ab"), Some("a")], false),
        ([Some(""), Some("a")], false),
        ([Some("a"), Some("b")], true),
    ] {
        let issuers = prefixes.iter().enumerate().map(|(number, prefix)| {
            let issuer = one.issuer(&format!("https://{number}.test"));
            prefix.map_or(one.issuer(&format!("https://{number}.test")), |prefix| {
                issuer.prefix(prefix)
            })
        });
        let server = issuers.fold(ResourceServer::new(API), |server, issuer| server.issuer(issuer));
        let built = server.build().await;
        assert_eq!(
            !matches!(built, Err(BuildError::Policy(_))),
            clear,
            "{prefixes:?}"
        );
    }
}

#[tokio::test]
async fn jwt_22_nobody_is_asked_about_a_monster() {
    let (teller, clock) = (Teller::start().await, Frozen::new());
    let guard = teller.guard(&clock).await;
    for token in ["a".repeat(20_000), ".".repeat(200_000), "a.b".repeat(1_000_000)] {
        assert_eq!(with_token(&guard, "/me", &token).await.code(), "token_invalid");
    }
    assert!(teller.asked().is_empty());
}

#[tokio::test]
async fn a_token_goes_over_https_or_nowhere() {
    let issuer = Issuer::opaque(
        NAME,
        Introspection::at("http://opaque.test/introspect", "api", "s"),
    );
    let built = ResourceServer::new(API).issuer(issuer).build().await;
    assert!(matches!(built, Err(BuildError::Client(_))), "{built:?}");
}

#[tokio::test]
async fn pp_03_an_opaque_token_that_is_bound_to_a_key_needs_its_proof() {
    let (teller, clock) = (Teller::start().await, Frozen::new());
    let guard = teller.guard(&clock).await;
    let key = Prover::new(AnySigningKey::generate(carnet_jose::Algorithm::Es256).unwrap()).unwrap();
    let cnf = json!({ "jkt": key.thumbprint() });
    teller.says("bound", with(good(&clock), "cnf", cnf));
    assert_eq!(with_token(&guard, "/me", "bound").await.code(), "token_invalid");
    let request = Request {
        method: "GET",
        uri: "https://api.test/me",
        access_token: Some("bound"),
    };
    let proof = key.prove(&request, None, clock.since_epoch().as_secs()).unwrap();
    let headers = [("authorization", "DPoP bound"), ("dpop", proof.as_str())];
    assert_eq!(call(&guard, "/me", &headers).await.status, StatusCode::OK);
}
