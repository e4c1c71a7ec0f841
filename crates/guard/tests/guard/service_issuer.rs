//! A pretended authorization server that publishes services, and services that sign.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use carnet_client::service_signer::ServiceSigner;
use carnet_guard::{Auth, Caller, Clock as _, Guard, ResourceServer, Revocations, Services, UserOrService};
use carnet_jose::{Algorithm, AnySigningKey, KeySet, Signer, TokenType};
use carnet_oauth::service_token::{BUNDLE_TYPE, BundledService, ServiceBundle};
use http::{HeaderMap, Request, StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use crate::issuers::Frozen;

/// A service with its key.
pub(crate) struct Other {
    pub(crate) name: &'static str,
    pub(crate) private: String,
    calls: Vec<String>,
}

impl Other {
    pub(crate) fn new(name: &'static str, calls: &[&str]) -> Self {
        let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
        Self {
            name,
            private: key.to_jwk_private().unwrap().to_string(),
            calls: calls.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    pub(crate) fn key(&self) -> AnySigningKey {
        AnySigningKey::from_jwk(&self.private).unwrap()
    }

    fn bundled(&self, issuer: &str) -> BundledService {
        let jwk = self.key().verifying_key().to_jwk().unwrap().with_kid(self.name);
        BundledService {
            iss: carnet_oauth::service_token::id(issuer, self.name),
            name: self.name.to_owned(),
            keys: vec![serde_json::to_value(jwk).unwrap()],
            calls: self.calls.clone(),
        }
    }
}

#[derive(Default)]
pub(crate) struct Switches {
    jwks: Mutex<String>,
    pub(crate) bundle: Mutex<String>,
    pub(crate) down: AtomicBool,
    /// The message of the revocation feed; lost when empty.
    pub(crate) feed: Mutex<String>,
    asked: AtomicUsize,
}

/// It runs on a port of its own until the test ends.
pub(crate) struct Issuer {
    pub(crate) url: String,
    pub(crate) clock: Frozen,
    pub(crate) switches: Arc<Switches>,
    key: String,
}

pub(crate) const HINT: u64 = 60;
pub(crate) const TTL: u64 = 3_600;

impl Issuer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
        let set = KeySet::new(vec![(Some("as".to_owned()), key.verifying_key())]).unwrap();
        let switches = Arc::new(Switches::default());
        *switches.jwks.lock().unwrap() = set.to_jwks_json().unwrap();
        let metadata =
            Json(json!({ "issuer": url, "jwks_uri": format!("{url}/jwks"), "response_types_supported": [] }));
        let routes = Router::new()
            .route(
                "/.well-known/oauth-authorization-server",
                get(async move || metadata.clone()),
            )
            .route(
                "/jwks",
                get(async |State(switches): State<Arc<Switches>>| switches.jwks.lock().unwrap().clone()),
            )
            .route("/services/bundle", get(bundle))
            .route("/revocations", get(feed))
            .with_state(switches.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self {
            url,
            clock: Frozen::new(),
            switches,
            key: key.to_jwk_private().unwrap().to_string(),
        }
    }

    pub(crate) fn signer(&self, token_type: TokenType) -> Signer {
        Signer::new(
            AnySigningKey::from_jwk(&self.key).unwrap(),
            token_type,
            Some("as".to_owned()),
        )
        .unwrap()
    }

    pub(crate) fn bundle(&self, sequence: i64, services: &[&Other]) -> ServiceBundle {
        let now = self.clock.since_epoch().as_secs();
        ServiceBundle {
            iss: self.url.clone(),
            iat: now,
            exp: now + TTL,
            sequence,
            refresh_hint: HINT,
            part: 1,
            parts: 1,
            services: services.iter().map(|other| other.bundled(&self.url)).collect(),
        }
    }

    pub(crate) fn publish(&self, sequence: i64, services: &[&Other]) {
        self.publish_parts(&[self.bundle(sequence, services)]);
    }

    pub(crate) fn publish_parts(&self, parts: &[ServiceBundle]) {
        let signer = self.signer(TokenType::Other(BUNDLE_TYPE));
        let parts: Vec<_> = parts.iter().map(|part| signer.sign(part).unwrap()).collect();
        *self.switches.bundle.lock().unwrap() = parts.join("\n");
    }

    pub(crate) fn asked(&self) -> usize {
        self.switches.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn signs_as(&self, other: &Other) -> ServiceSigner {
        let key = (other.key(), other.name.to_owned());
        ServiceSigner::with_clock(&self.url, other.name, key, self.clock.clone()).unwrap()
    }

    pub(crate) fn services(&self) -> Services {
        Services::of(&self.url, "billing")
    }

    /// From now on the feed says that this is the number of the newest bundle, and that this one thing is taken back.
    pub(crate) fn tells(&self, services: i64, entry: &Value) {
        static EPOCH: AtomicUsize = AtomicUsize::new(0);
        let (now, epoch) = (
            self.clock.since_epoch().as_secs(),
            EPOCH.fetch_add(1, Ordering::SeqCst),
        );
        let entries: Vec<&Value> = Some(entry).filter(|entry| !entry.is_null()).into_iter().collect();
        let claims = json!({ "iss": self.url, "aud": "billing", "iat": now, "epoch": epoch.to_string(), "since": 0, "cursor": 1,
                             "services": services, "entries": entries });
        let signer = self.signer(TokenType::Other("revocations+jwt"));
        *self.switches.feed.lock().unwrap() = signer.sign(&claims).unwrap();
    }

    pub(crate) fn feed(&self) -> Revocations {
        Revocations::feed(format!("{}/revocations", self.url), "billing", "secret")
    }

    /// The guard of the service `billing`.
    pub(crate) async fn guard(&self, services: Services) -> Guard {
        let users = carnet_guard::Issuer::jwks(&self.url, format!("{}/jwks", self.url));
        let billing = ResourceServer::new("https://billing.test").issuer(users);
        let billing = billing.services(services).clock(self.clock.clone());
        billing.build().await.unwrap()
    }
}

async fn feed(State(switches): State<Arc<Switches>>) -> Response {
    let message = switches.feed.lock().unwrap().clone();
    if message.is_empty() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    (
        [("content-type", "text/event-stream")],
        format!("data: {message}\n\n"),
    )
        .into_response()
}

async fn bundle(State(switches): State<Arc<Switches>>, headers: HeaderMap) -> Response {
    switches.asked.fetch_add(1, Ordering::SeqCst);
    if switches.down.load(Ordering::SeqCst) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let body = switches.bundle.lock().unwrap().clone();
    let hash = carnet_jose::primitive::sha256(body.as_bytes());
    let etag = format!("\"{}\"", carnet_jose::base64url::encode(&hash));
    if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| *known == *etag)
    {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    ([(header::ETAG, etag)], body).into_response()
}

/// A route for each kind of caller.
fn routes(guard: &Guard) -> Router {
    let named = async |caller: Caller| caller.name().to_owned();
    let any = async |any: UserOrService| match any {
        UserOrService::User(auth) => format!("user {}", auth.sub()),
        UserOrService::Service(caller) => format!("service {}", caller.id()),
    };
    let inner = Router::new()
        .route("/inner", get(named).layer(guard.caller_in(["mail"])))
        .layer(guard.caller_in(["orders", "mail"]));
    Router::new()
        .route(
            "/close",
            post(named).get(named).layer(guard.caller_in(["orders"])),
        )
        .route("/any", get(any).layer(guard.caller_in(["orders"]).or_users()))
        .route(
            "/mine",
            get(async |auth: Auth| auth.sub().to_owned()).layer(guard.layer()),
        )
        .merge(inner)
}

/// What comes back: status and body.
pub(crate) async fn send(guard: &Guard, request: Request<()>) -> (StatusCode, String) {
    let request = request.map(|()| axum::body::Body::empty());
    let response = routes(guard).oneshot(request).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 100_000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

pub(crate) async fn get_with(guard: &Guard, path: &str, token: &str) -> (StatusCode, String) {
    let request = Request::get(path).header("authorization", format!("Bearer {token}"));
    send(guard, request.body(()).unwrap()).await
}

/// As a service calls.
pub(crate) async fn call(guard: &Guard, path: &str, signer: &ServiceSigner) -> (StatusCode, String) {
    let mut request = Request::get(path).body(()).unwrap();
    signer.attach(&mut request, "billing").unwrap();
    send(guard, request).await
}
