//! Introspection answers that are signed (RFC 9701), as an API takes them: these alone, from this issuer, for this API, of now.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use carnet_guard::{Clock as _, Guard, Introspection, Issuer, ResourceServer};
use carnet_jose::{Algorithm, AnySigningKey, KeySet, Signer, TokenType};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::api::{API, with_token};
use crate::issuers::Frozen;

const JWT: &str = "application/token-introspection+jwt";

/// An issuer whose endpoint answers what it is told to, with this media type.
struct Told {
    url: String,
    answer: Mutex<(&'static str, String)>,
    accepted: Mutex<Vec<String>>,
    key: String,
}

impl Told {
    async fn start() -> Arc<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
        let set = KeySet::new(vec![(Some("k".to_owned()), key.verifying_key())]).unwrap();
        let jwks = set.to_jwks_json().unwrap();
        let told = Arc::new(Self {
            url: url.clone(),
            answer: Mutex::new((JWT, String::new())),
            accepted: Mutex::default(),
            key: key.to_jwk_private().unwrap().to_string(),
        });
        let metadata =
            Json(json!({ "issuer": url, "jwks_uri": format!("{url}/jwks"), "response_types_supported": [] }));
        let routes = Router::new()
            .route(
                "/.well-known/oauth-authorization-server",
                get(async move || metadata.clone()),
            )
            .route("/jwks", get(async move || jwks.clone()))
            .route("/introspect", post(introspect))
            .with_state(told.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        told
    }

    async fn guard(&self, clock: &Frozen) -> Guard {
        let url = format!("{}/introspect", self.url);
        let introspection = Introspection::at(url, "api", "secret").cache(std::time::Duration::ZERO);
        let server = ResourceServer::new(API).issuer(Issuer::opaque(&self.url, introspection.signed()));
        server.clock(clock.clone()).build().await.unwrap()
    }

    /// The answer to the question that comes now.
    fn claims(&self, clock: &Frozen) -> Value {
        let now = clock.since_epoch().as_secs();
        let inner = json!({ "active": true, "iss": self.url, "aud": API, "sub": "alice", "client_id": "web", "exp": now + 600 });
        json!({ "iss": self.url, "aud": "api", "iat": now, "token_introspection": inner })
    }

    fn says(&self, kind: &'static str, answer: String) {
        *self.answer.lock().unwrap() = (kind, answer);
    }

    fn sign(&self, typ: &'static str, claims: &Value) -> String {
        let key = AnySigningKey::from_jwk(&self.key).unwrap();
        let signer = Signer::new(key, TokenType::Other(typ), Some("k".to_owned())).unwrap();
        signer.sign(claims).unwrap()
    }
}

async fn introspect(State(told): State<Arc<Told>>, headers: HeaderMap) -> Response {
    let accepted = headers[header::ACCEPT].to_str().unwrap().to_owned();
    told.accepted.lock().unwrap().push(accepted);
    let (kind, answer) = told.answer.lock().unwrap().clone();
    ([(header::CONTENT_TYPE, kind)], answer).into_response()
}

#[tokio::test]
async fn a_signed_answer_is_asked_for_and_lets_the_caller_in() {
    let (told, clock) = (Told::start().await, Frozen::new());
    let guard = told.guard(&clock).await;
    told.says(JWT, told.sign("token-introspection+jwt", &told.claims(&clock)));
    let answer = with_token(&guard, "/me", "opaque").await;
    assert_eq!(
        (answer.status, &answer.body["sub"]),
        (StatusCode::OK, &json!("alice"))
    );
    assert_eq!(*told.accepted.lock().unwrap(), [JWT]);
    let mut claims = told.claims(&clock);
    claims["token_introspection"] = json!({ "active": false });
    told.says(JWT, told.sign("token-introspection+jwt", &claims));
    assert_eq!(with_token(&guard, "/me", "opaque").await.code(), "token_invalid");
    // What it says is held against the same policy as ever.
    let mut claims = told.claims(&clock);
    claims["token_introspection"]["aud"] = json!("https://other.test");
    told.says(JWT, told.sign("token-introspection+jwt", &claims));
    assert_eq!(with_token(&guard, "/me", "opaque").await.code(), "token_invalid");
}

#[tokio::test]
async fn an_answer_that_is_not_signed_so_is_none() {
    let (told, clock) = (Told::start().await, Frozen::new());
    let guard = told.guard(&clock).await;
    let good = told.claims(&clock);
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        told.sign("token-introspection+jwt", &claims)
    };
    let other = Told::start().await;
    let now = clock.since_epoch().as_secs();
    for (kind, answer) in [
        ("application/json", good["token_introspection"].to_string()),
        ("application/json", told.sign("token-introspection+jwt", &good)),
        (JWT, good["token_introspection"].to_string()),
        (JWT, told.sign("at+jwt", &good)),
        (JWT, told.sign("JWT", &good)),
        (JWT, other.sign("token-introspection+jwt", &good)),
        (JWT, with("iss", json!("https://other.test"))),
        (JWT, with("aud", json!("other"))),
        (JWT, with("iat", json!(now - 31))),
        (JWT, with("iat", json!(now + 31))),
        (JWT, with("iat", json!(null))),
        (JWT, with("token_introspection", json!(null))),
        (JWT, String::new()),
    ] {
        told.says(kind, answer.clone());
        let refused = with_token(&guard, "/me", "opaque").await;
        assert_eq!(
            (refused.status, refused.code()),
            (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
            "{kind} {answer}"
        );
    }
}
