//! What the log says of callers, and what it never says. In a program of its own: it listens to everything.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use carnet_guard::testing::{TestClock, TestIssuer};
use carnet_guard::{Auth, Denied, Guard, Introspection, Issuer, ResourceServer, Rule};
use carnet_jose::{Algorithm, AnySigningKey};
use carnet_oauth::dpop::{self, Prover};
use http::Request;
use serde_json::json;
use tower::ServiceExt as _;
use tracing_subscriber::fmt::MakeWriter;

const API: &str = "https://api.test";
/// What whoever stands in front of us calls each request.
const NAME: &str = "4bf92f3577b34da6";

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn routes(guard: &Guard) -> Router {
    let denied = async |auth: Auth| -> Result<(), Denied> { auth.check(false, "the reason of the handler") };
    let scope = guard.require(Rule::scope("read:orders"));
    let tenant = guard.require(Rule::claim("tenant").eq("red"));
    Router::new()
        .route("/me", get(async || "in"))
        .route("/scope", get(async || "in").layer(scope))
        .route("/tenant", get(async || "in").layer(tenant))
        .route("/denied", get(denied))
        .layer(guard.layer())
}

async fn call(guard: &Guard, path: &str, headers: &[(&str, &str)]) {
    let begun = Request::get(path).header("x-request-id", NAME);
    let request = headers
        .iter()
        .fold(begun, |request, (name, value)| request.header(*name, *value));
    let request = request.body(Body::empty()).unwrap();
    routes(guard).oneshot(request).await.unwrap();
}

/// Sends a token to every route, and in every way that is refused.
async fn show_everywhere(guard: &Guard, token: &str) {
    let bearer = format!("Bearer {token}");
    for path in ["/me", "/scope", "/tenant", "/denied"] {
        call(guard, path, &[("authorization", &bearer)]).await;
    }
    let query = format!("/me?access_token={token}");
    call(guard, &query, &[("authorization", &bearer)]).await;
    call(guard, "/me", &[("authorization", &format!("{bearer},x"))]).await;
    call(
        guard,
        "/me",
        &[("authorization", &bearer), ("authorization", &bearer)],
    )
    .await;
}

fn tokens(issuer: &TestIssuer) -> Vec<String> {
    let token = || issuer.token("alice");
    vec![
        token().sign(),
        token().audience("https://other.test").sign(),
        token().claim("iss", "https://other.test").sign(),
        token().claim("exp", 1_u64).sign(),
        token().claim("nbf", 4_000_000_000_u64).sign(),
        token().claim("client_id", 7).sign(),
        TestIssuer::new().token("alice").audience(API).sign(),
        "opaque-token-that-nobody-may-read".to_owned(),
    ]
}

const NOW: u64 = 1_800_000_000;

/// Everything that can be refused; the tokens and proofs that were sent.
async fn be_refused() -> Vec<String> {
    let issuer = TestIssuer::with_clock(TestClock::at(NOW));
    let opaque = Introspection::at("http://127.0.0.1:1/introspect", "api", "the-client-secret");
    let opaque = Issuer::opaque("https://opaque.test", opaque);
    let guard = issuer.resource_server(API).issuer(opaque).build().await.unwrap();
    let mut secrets = tokens(&issuer);
    for secret in &secrets {
        show_everywhere(&guard, secret).await;
    }
    let key = Prover::new(AnySigningKey::generate(Algorithm::Es256).unwrap()).unwrap();
    let cnf = json!({ "jkt": key.thumbprint() });
    let bound = issuer.token("alice").claim("cnf", cnf).sign();
    let proven = dpop::Request {
        method: "GET",
        uri: "https://api.test/another",
        access_token: Some(&bound),
    };
    let proof = key.prove(&proven, None, NOW).unwrap();
    let authorization = format!("DPoP {bound}");
    call(
        &guard,
        "/me",
        &[("authorization", &authorization), ("dpop", &proof)],
    )
    .await;
    let down = Issuer::jwks("https://issuer.test", "http://127.0.0.1:1/jwks");
    let down = ResourceServer::new(API).issuer(down).build().await.unwrap();
    show_everywhere(&down, &secrets[0]).await;
    secrets.extend([bound, proof, "the-client-secret".to_owned()]);
    secrets
}

#[tokio::test]
async fn lk_02_nothing_of_a_token_is_in_the_log_at_any_level() {
    let lines = Lines::default();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(lines.clone())
        .with_ansi(false)
        .init();
    let secrets = be_refused().await;
    let text = lines.text();
    for secret in &secrets {
        assert!(!text.contains(secret.as_str()));
        // The header of a JWT is no secret; its payload and its signature are.
        let header = usize::from(secret.contains('.'));
        for part in secret.split('.').skip(header).filter(|part| part.len() >= 16) {
            assert!(!text.contains(&part[..16]), "{part}");
        }
    }
    // Each refusal is found by the name of its request.
    for line in text.lines().filter(|line| line.contains("a request was refused")) {
        assert!(line.contains(&format!("request_id=\"{NAME}\"")), "{line}");
    }
    // Each refusal says why, by a code.
    for said in [
        "audience_mismatch",
        "issuer_mismatch",
        "token_expired",
        "introspection_unavailable",
        "authorization_malformed",
        "authorization_twice",
        "token_in_query_too",
        "htu_mismatch",
        "the reason of the handler",
        "insufficient_scope",
        "keys_unavailable",
    ] {
        assert!(text.contains(said), "{said} is missing in:\n{text}");
    }
}
