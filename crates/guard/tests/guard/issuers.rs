//! A pretended authorization server, with switches and counters.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use carnet_guard::Clock;
use carnet_jose::{Algorithm, AnySigningKey, KeySet, Signer, TokenType};
use http::{HeaderMap, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;

use crate::api::API;

/// Time that stands still until it is moved.
#[derive(Clone)]
pub(crate) struct Frozen(Arc<AtomicU64>);

impl Frozen {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_800_000_000)))
    }

    pub(crate) fn wait(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for Frozen {
    fn since_epoch(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// What it does, and how often it was asked.
#[derive(Default)]
pub(crate) struct Switches {
    pub(crate) jwks: Mutex<String>,
    pub(crate) down: AtomicBool,
    /// Takes the question and never answers.
    pub(crate) silent: AtomicBool,
    pub(crate) jwks_asked: AtomicUsize,
    pub(crate) inactive: AtomicBool,
    pub(crate) introspected: AtomicUsize,
}

/// It runs on a port of its own until the test ends.
pub(crate) struct Pretended {
    pub(crate) url: String,
    pub(crate) switches: Arc<Switches>,
}

impl Pretended {
    pub(crate) async fn start(keys: &[&Key]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let pretended = Self {
            url: url.clone(),
            switches: Arc::default(),
        };
        pretended.publish(keys);
        let metadata =
            Json(json!({ "issuer": url, "jwks_uri": format!("{url}/jwks"), "response_types_supported": [] }));
        let routes = Router::new()
            .route(
                "/.well-known/oauth-authorization-server",
                get(async move || metadata.clone()),
            )
            .route("/jwks", get(jwks))
            .route("/.well-known/identity-assertion-jwks.json", get(jwks))
            .route("/introspect", post(introspect))
            .with_state(pretended.switches.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        pretended
    }

    pub(crate) fn publish(&self, keys: &[&Key]) {
        let set = keys
            .iter()
            .map(|key| (Some(key.kid.clone()), key.public.clone()))
            .collect();
        *self.switches.jwks.lock().unwrap() = KeySet::new(set).unwrap().to_jwks_json().unwrap();
    }

    pub(crate) fn asked(&self) -> usize {
        self.switches.jwks_asked.load(Ordering::SeqCst)
    }

    /// What a gateway of this name says for this service, good for a minute.
    pub(crate) fn assertion(&self, key: &Key, service: &str, clock: &Frozen) -> String {
        let now = clock.since_epoch().as_secs();
        key.signer
            .sign(&json!({ "iss": self.url, "aud": service, "sub": "alice", "iat": now, "exp": now + 60 }))
            .unwrap()
    }

    /// A token that this issuer's key signs now, good for a year of frozen time.
    pub(crate) fn token(&self, key: &Key, clock: &Frozen) -> String {
        let now = clock.since_epoch().as_secs();
        key.signer
            .sign(&json!({ "iss": self.url, "aud": API, "sub": "alice", "client_id": "web", "jti": "x", "iat": now, "exp": now + 31_536_000 }))
            .unwrap()
    }
}

/// A signing key with its name.
pub(crate) struct Key {
    pub(crate) kid: String,
    private: String,
    token_type: TokenType,
    signer: Signer,
    public: carnet_jose::AnyVerifyingKey,
}

impl Key {
    pub(crate) fn new(kid: &str) -> Self {
        Self::of_type(kid, TokenType::AccessToken)
    }

    /// One that signs something else than access tokens.
    pub(crate) fn typed(kid: &str, typ: &'static str) -> Self {
        Self::of_type(kid, TokenType::Other(typ))
    }

    fn of_type(kid: &str, token_type: TokenType) -> Self {
        let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
        let public = key.verifying_key();
        let private = key.to_jwk_private().unwrap().to_string();
        Self {
            private,
            kid: kid.to_owned(),
            token_type,
            signer: Signer::new(key, token_type, Some(kid.to_owned())).unwrap(),
            public,
        }
    }

    /// The same key under another name.
    pub(crate) fn renamed(&self, kid: &str) -> Self {
        let key = AnySigningKey::from_jwk(&self.private).unwrap();
        let signer = Signer::new(key, self.token_type, Some(kid.to_owned())).unwrap();
        Self {
            kid: kid.to_owned(),
            token_type: self.token_type,
            private: self.private.clone(),
            signer,
            public: self.public.clone(),
        }
    }
}

async fn jwks(State(switches): State<Arc<Switches>>) -> Response {
    switches.jwks_asked.fetch_add(1, Ordering::SeqCst);
    if switches.down.load(Ordering::SeqCst) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    if switches.silent.load(Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
    // The others of a crowd arrive while this one is being answered.
    tokio::task::yield_now().await;
    (
        [("cache-control", "max-age=600")],
        switches.jwks.lock().unwrap().clone(),
    )
        .into_response()
}

async fn introspect(State(switches): State<Arc<Switches>>, headers: HeaderMap) -> Response {
    switches.introspected.fetch_add(1, Ordering::SeqCst);
    if switches.down.load(Ordering::SeqCst) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    assert_eq!(headers["authorization"], "Basic YXBpOnMlM0FjcmV0");
    Json(json!({ "active": !switches.inactive.load(Ordering::SeqCst) })).into_response()
}
