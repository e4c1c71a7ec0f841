//! A pretended authorization server: codes, families of refresh tokens with a grace, switches and counters.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Form, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use carnet_guard::Clock;
use carnet_jose::{Algorithm, AnySigningKey, KeySet, Signer, TokenType};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

pub(crate) const API: &str = "https://api.test";
pub(crate) const LIFE: u64 = 900;

/// Time that stands still until it is moved.
#[derive(Clone)]
pub(crate) struct Frozen(Arc<AtomicU64>);

impl Frozen {
    pub(crate) fn wait(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for Frozen {
    fn since_epoch(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// It runs on a port of its own until the test ends.
#[derive(Clone)]
pub(crate) struct Issuer {
    pub(crate) url: String,
    pub(crate) clock: Frozen,
    pub(crate) inside: Arc<Inside>,
}

pub(crate) struct Inside {
    key: String,
    jwks: String,
    codes: Mutex<HashMap<String, HashMap<String, String>>>,
    /// The generation of the one family, and whether that token was shown.
    family: Mutex<(u64, bool)>,
    pub(crate) down: AtomicBool,
    /// Nobody gets its keys.
    pub(crate) keyless: AtomicBool,
    pub(crate) ended: AtomicBool,
    /// Makes tokens for another API.
    pub(crate) strange: AtomicBool,
    /// How many bytes of claims it adds.
    pub(crate) padding: AtomicUsize,
    /// The same in its ID tokens.
    pub(crate) id_padding: AtomicUsize,
    pub(crate) nonce: Mutex<Option<String>>,
    /// What its access tokens say of the last login.
    pub(crate) login: Mutex<Value>,
    /// What the ID tokens of refreshes say beyond the usual; without it there are none.
    pub(crate) id_again: Mutex<Option<Value>>,
    /// Does not know `acr_values`, and says nothing of when somebody logged in.
    pub(crate) dull: AtomicBool,
    /// What its feed says to whoever asks.
    feed: Mutex<String>,
    pub(crate) refreshed: AtomicUsize,
    pub(crate) revoked: Mutex<Vec<String>>,
    pub(crate) gate: Semaphore,
    made: AtomicU64,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
        let set = KeySet::new(vec![(Some("k".to_owned()), key.verifying_key())]).unwrap();
        let inside = Inside {
            key: key.to_jwk_private().unwrap().to_string(),
            jwks: set.to_jwks_json().unwrap(),
            codes: Mutex::default(),
            family: Mutex::default(),
            down: AtomicBool::default(),
            keyless: AtomicBool::default(),
            ended: AtomicBool::default(),
            strange: AtomicBool::default(),
            padding: AtomicUsize::default(),
            id_padding: AtomicUsize::default(),
            nonce: Mutex::default(),
            login: Mutex::new(json!({})),
            id_again: Mutex::default(),
            dull: AtomicBool::default(),
            feed: Mutex::default(),
            refreshed: AtomicUsize::default(),
            revoked: Mutex::default(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            made: AtomicU64::default(),
        };
        let clock = Frozen(Arc::new(AtomicU64::new(1_800_000_000)));
        let issuer = Self {
            url,
            clock,
            inside: Arc::new(inside),
        };
        let routes = Router::new()
            .route("/.well-known/oauth-authorization-server", get(metadata))
            .route(
                "/jwks",
                get(async |State(issuer): State<Self>| {
                    let keyless = issuer.inside.keyless.load(Ordering::SeqCst);
                    let keys = issuer.inside.jwks.clone();
                    (!keyless)
                        .then_some(keys)
                        .ok_or(StatusCode::INTERNAL_SERVER_ERROR)
                }),
            )
            .route("/token", post(token))
            .route("/revoke", post(revoke))
            .route("/revocations", get(feed))
            .with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        issuer
    }

    /// Its feed says that this is all that was taken back.
    pub(crate) fn takes_back(&self, entries: &Value) {
        let now = self.clock.since_epoch().as_secs();
        let claims = json!({ "iss": self.url, "aud": "notes", "iat": now, "epoch": "1", "since": 0, "cursor": 1, "entries": entries });
        *self.inside.feed.lock().unwrap() = self.sign(TokenType::Other("revocations+jwt"), &claims);
    }

    /// What the user's browser is sent back with after a login at this address.
    pub(crate) fn allow(&self, url: &str) -> String {
        let url = url::Url::parse(url).unwrap();
        assert_eq!(url.path(), "/authorize");
        let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(query["code_challenge_method"], "S256");
        assert_eq!(query["resource"], API);
        let code = format!("code-{}", self.inside.made.fetch_add(1, Ordering::SeqCst));
        let back = format!("code={code}&state={}&iss={}", query["state"], self.url);
        self.inside.codes.lock().unwrap().insert(code, query);
        back
    }

    pub(crate) fn refreshed(&self) -> usize {
        self.inside.refreshed.load(Ordering::SeqCst)
    }

    fn sign(&self, kind: TokenType, claims: &Value) -> String {
        let key = AnySigningKey::from_jwk(&self.inside.key).unwrap();
        Signer::new(key, kind, Some("k".to_owned()))
            .unwrap()
            .sign(claims)
            .unwrap()
    }

    fn tokens(&self, nonce: Option<&String>) -> Value {
        let now = self.clock.since_epoch().as_secs();
        let made = self.inside.made.fetch_add(1, Ordering::SeqCst);
        let strange = self.inside.strange.load(Ordering::SeqCst);
        let aud = if strange { "https://other.test" } else { API };
        let padding = "x".repeat(self.inside.padding.load(Ordering::SeqCst));
        let mut access = json!({ "iss": self.url, "aud": aud, "sub": "alice", "client_id": "notes", "jti": format!("t{made}"), "iat": now, "exp": now + LIFE, "padding": padding });
        let login = self.inside.login.lock().unwrap().clone();
        access
            .as_object_mut()
            .unwrap()
            .extend(login.as_object().unwrap().clone());
        let mut tokens = json!({ "access_token": self.sign(TokenType::AccessToken, &access), "token_type": "Bearer", "expires_in": LIFE, "refresh_token": format!("rt.{}", self.inside.family.lock().unwrap().0) });
        if let Some(nonce) = nonce {
            let padding = "x".repeat(self.inside.id_padding.load(Ordering::SeqCst));
            tokens["id_token"] = self
                .id_token(&json!({ "nonce": nonce, "padding": padding }))
                .into();
        }
        tokens
    }

    fn id_token(&self, more: &Value) -> String {
        let now = self.clock.since_epoch().as_secs();
        let mut claims =
            json!({ "iss": self.url, "aud": "notes", "sub": "alice", "iat": now, "exp": now + 300 });
        let all = claims.as_object_mut().unwrap();
        all.extend(more.as_object().unwrap().clone());
        self.sign(TokenType::IdToken, &claims)
    }

    fn is_down(&self) -> bool {
        self.inside.down.load(Ordering::SeqCst)
    }
}

async fn metadata(State(issuer): State<Issuer>) -> Response {
    if issuer.is_down() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let url = &issuer.url;
    Json(json!({
        "issuer": url, "jwks_uri": format!("{url}/jwks"), "response_types_supported": ["code"],
        "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
        "revocation_endpoint": format!("{url}/revoke"), "end_session_endpoint": format!("{url}/logout"),
        "authorization_response_iss_parameter_supported": true, "userinfo_endpoint": format!("{url}/userinfo"),
        "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["ES256"], "claims_supported": [],
        "claims_parameter_supported": false, "request_parameter_supported": false, "request_uri_parameter_supported": false,
    }))
    .into_response()
}

async fn token(
    State(issuer): State<Issuer>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    if issuer.is_down() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    assert_eq!(headers["authorization"], "Basic bm90ZXM6YSUzQXNlY3JldA==");
    if form["grant_type"] == "authorization_code" {
        let Some(asked) = issuer.inside.codes.lock().unwrap().remove(&form["code"]) else {
            return invalid_grant();
        };
        assert_eq!(asked["redirect_uri"], form["redirect_uri"]);
        let challenge = carnet_jose::primitive::sha256(form["code_verifier"].as_bytes());
        assert_eq!(
            asked["code_challenge"],
            carnet_jose::base64url::encode(&challenge)
        );
        let now = issuer.clock.since_epoch().as_secs();
        *issuer.inside.login.lock().unwrap() = match issuer.inside.dull.load(Ordering::SeqCst) {
            true => json!({}),
            false => json!({ "auth_time": now, "acr": asked.get("acr_values") }),
        };
        let other = issuer.inside.nonce.lock().unwrap().clone();
        return Json(issuer.tokens(Some(&other.unwrap_or_else(|| asked["nonce"].clone())))).into_response();
    }
    issuer.inside.refreshed.fetch_add(1, Ordering::SeqCst);
    issuer.inside.gate.acquire().await.unwrap().forget();
    if issuer.inside.ended.load(Ordering::SeqCst) {
        return invalid_grant();
    }
    {
        let mut family = issuer.inside.family.lock().unwrap();
        let shown: u64 = form["refresh_token"]
            .strip_prefix("rt.")
            .unwrap()
            .parse()
            .unwrap();
        match *family {
            (live, _) if shown == live => *family = (live + 1, false),
            // The grace: the same successor again, until it is used.
            (live, _) if shown + 1 == live => {}
            _ => {
                issuer.inside.ended.store(true, Ordering::SeqCst);
                return invalid_grant();
            }
        }
    }
    let mut tokens = issuer.tokens(None);
    if let Some(more) = &*issuer.inside.id_again.lock().unwrap() {
        tokens["id_token"] = issuer.id_token(more).into();
    }
    Json(tokens).into_response()
}

async fn feed(State(issuer): State<Issuer>) -> Response {
    let message = issuer.inside.feed.lock().unwrap().clone();
    (
        [("content-type", "text/event-stream")],
        format!("data: {message}\n\n"),
    )
        .into_response()
}

async fn revoke(State(issuer): State<Issuer>, Form(form): Form<HashMap<String, String>>) -> StatusCode {
    if issuer.is_down() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    issuer.inside.ended.store(true, Ordering::SeqCst);
    issuer.inside.revoked.lock().unwrap().push(form["token"].clone());
    StatusCode::OK
}

fn invalid_grant() -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response()
}
