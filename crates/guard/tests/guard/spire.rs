//! A pretended SPIRE server, its keys, and the service that its workloads call.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use carnet_guard::{Auth, Caller, Clock as _, Guard, ResourceServer, Spiffe, UserOrService};
use carnet_jose::{Algorithm, AnySigningKey, base64url};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use crate::issuers::Frozen;

/// A key of a trust domain.
pub(crate) struct Authority {
    pub(crate) kid: &'static str,
    pub(crate) key: AnySigningKey,
}

impl Authority {
    pub(crate) fn new(kid: &'static str) -> Self {
        Self::signing(kid, Algorithm::Es256)
    }

    pub(crate) fn signing(kid: &'static str, algorithm: Algorithm) -> Self {
        let key = AnySigningKey::generate(algorithm).unwrap();
        Self { kid, key }
    }

    /// As SPIRE writes it: without `alg`, with the use that only SPIFFE knows.
    pub(crate) fn jwk(&self, its_use: &str) -> Value {
        let jwk = self.key.verifying_key().to_jwk().unwrap().with_kid(self.kid);
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["use"] = json!(its_use);
        jwk.as_object_mut().unwrap().remove("alg");
        jwk
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| base64url::encode(value.to_string().as_bytes());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = self.key.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", base64url::encode(&signature))
    }

    pub(crate) fn header(&self) -> Value {
        json!({ "alg": self.key.algorithm().name(), "kid": self.kid, "typ": "JWT" })
    }
}

#[derive(Default)]
pub(crate) struct Switches {
    pub(crate) bundle: Mutex<String>,
    pub(crate) down: AtomicBool,
    pub(crate) asked: AtomicUsize,
}

/// SPIRE's server of `example.org`, and its one authority of JWT-SVIDs.
pub(crate) struct Spire {
    pub(crate) url: String,
    pub(crate) clock: Frozen,
    pub(crate) switches: Arc<Switches>,
    pub(crate) authority: Authority,
}

pub(crate) const HINT: u64 = 300;
pub(crate) const OURS: &str = "spiffe://example.org/billing";
pub(crate) const ORDERS: &str = "spiffe://example.org/ns/prod/sa/orders";

impl Spire {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let switches = Arc::new(Switches::default());
        let spire = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            clock: Frozen::new(),
            switches: switches.clone(),
            authority: Authority::new("jwt-1"),
        };
        let routes = Router::new().route("/", get(bundle)).with_state(switches);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        spire.publish(&[&spire.authority]);
        spire
    }

    /// Beside the keys of X509-SVIDs.
    pub(crate) fn document(authorities: &[&Authority]) -> String {
        let mut x509 = Authority::new("x509").jwk("x509-svid");
        x509["x5c"] = json!(["MIIB0TCCAXagAwIBAgIQ"]);
        x509.as_object_mut().unwrap().remove("kid");
        let jwt = authorities.iter().map(|authority| authority.jwk("jwt-svid"));
        let keys: Vec<_> = [x509].into_iter().chain(jwt).collect();
        json!({ "keys": keys, "spiffe_sequence": 12, "spiffe_refresh_hint": HINT }).to_string()
    }

    pub(crate) fn publish(&self, authorities: &[&Authority]) {
        *self.switches.bundle.lock().unwrap() = Self::document(authorities);
    }

    pub(crate) fn asked(&self) -> usize {
        self.switches.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn spiffe(&self) -> Spiffe {
        Spiffe::audience(OURS).bundle("example.org", &self.url)
    }

    pub(crate) async fn guard(&self) -> Guard {
        self.guard_with(self.spiffe()).await
    }

    pub(crate) async fn guard_with(&self, spiffe: Spiffe) -> Guard {
        let server = ResourceServer::new("https://billing.test").spiffe(spiffe);
        server.clock(self.clock.clone()).build().await.unwrap()
    }

    pub(crate) fn claims(&self, change: impl FnOnce(&mut Value)) -> Value {
        let now = self.clock.since_epoch().as_secs();
        let mut claims = json!({ "sub": ORDERS, "aud": [OURS], "iat": now, "exp": now + 300 });
        change(&mut claims);
        claims
    }

    pub(crate) fn svid(&self) -> String {
        self.authority
            .sign(&self.authority.header(), &self.claims(|_| ()))
    }
}

async fn bundle(State(switches): State<Arc<Switches>>) -> Response {
    switches.asked.fetch_add(1, Ordering::SeqCst);
    if switches.down.load(Ordering::SeqCst) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    // A cache on the way that knows better.
    (
        [("cache-control", "max-age=86400")],
        switches.bundle.lock().unwrap().clone(),
    )
        .into_response()
}

pub(crate) async fn asked(guard: &Guard, path: &str, token: &str) -> (StatusCode, String) {
    let any = async |any: UserOrService| match any {
        UserOrService::User(auth) => format!("user {}", auth.sub()),
        UserOrService::Service(caller) => format!("service {}", caller.name()),
    };
    let routes = Router::new()
        .route(
            "/close",
            get(async |caller: Caller| caller.id().to_owned()).layer(guard.caller_in([ORDERS])),
        )
        .route("/any", get(any).layer(guard.caller_in([ORDERS]).or_users()))
        .route(
            "/mine",
            get(async |auth: Auth| auth.sub().to_owned()).layer(guard.layer()),
        );
    let request = Request::get(path).header("authorization", format!("Bearer {token}"));
    let response = routes
        .oneshot(request.body(axum::body::Body::empty()).unwrap())
        .await
        .unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 100_000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

pub(crate) async fn status(guard: &Guard, token: &str) -> StatusCode {
    asked(guard, "/close", token).await.0
}
