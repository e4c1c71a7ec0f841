//! The demo's guarded API, as anybody would write one with `carnet-guard`.

use axum::extract::Query;
use axum::routing::get;
use axum::{Json, Router};
use carnet_guard::{Auth, Introspection, Issuer, ResourceServer, User};
use carnet_server::http::origin::open_cors;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::failure::Failure;

/// The app that logs people in with a browser.
pub(super) const APP: &str = "my-app-client-id";
/// The example of RFC 7636, appendix B: in a demo everybody may know it.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Its challenge.
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Answers callers with a valid token; a revoked one is refused at once, since each token is asked about.
pub(super) async fn serve(
    listener: TcpListener,
    (issuer, audience): (&str, &str),
    (id, secret): (&str, &str),
) -> Result<JoinHandle<()>, Failure> {
    let introspection =
        Introspection::at(format!("{issuer}/oauth/introspect"), id, secret).cache(Duration::ZERO);
    let address = listener.local_addr();
    let address = address.map_err(|error| Failure::broken(error.to_string()))?;
    let guard = ResourceServer::new(audience)
        // The demo's audience is a name: this is where it is found.
        .public_url(format!("http://{address}"))
        .issuer(Issuer::discover(issuer).introspect(introspection))
        .leeway(Duration::ZERO)
        .build()
        .await;
    let guard = guard.map_err(|error| Failure::broken(error.to_string()))?;
    let token_endpoint = format!("{issuer}/oauth/token");
    let routes = Router::new()
        .route("/api/data", get(data))
        .route("/api/user/profile", get(profile))
        .layer(guard.layer())
        // Around the guard: a preflight carries no token, and a browser app may read why it was refused.
        .layer(open_cors())
        .route(
            "/callback",
            get(move |query| callback(token_endpoint.clone(), query)),
        );
    Ok(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::error!(%error, "the demo's API stopped");
        }
    }))
}

async fn data() -> Json<Value> {
    Json(json!({ "data": ["what only callers with a token see"] }))
}

/// What the authorization server sends back to the demo's app.
#[derive(Deserialize)]
struct Answer {
    code: Option<String>,
    error: Option<String>,
}

/// The app that the browser comes back to: it shows what an app would do next.
async fn callback(token_endpoint: String, Query(answer): Query<Answer>) -> String {
    let plain = |text: &String| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    match (answer.code.filter(plain), answer.error.filter(plain)) {
        (Some(code), _) => format!(
            "The code came back. It is good for 60 seconds, once:\n\ncurl -s {token_endpoint} -d grant_type=authorization_code -d code={code} \
             -d client_id={APP} -d code_verifier={VERIFIER}\n"
        ),
        (None, Some(error)) => format!("There is no code: {error}\n"),
        (None, None) => "Nothing came back.\n".to_owned(),
    }
}

async fn profile(auth: Auth<User>) -> Json<Value> {
    Json(
        json!({ "userId": auth.sub(), "email": auth.claim("email"), "role": auth.claim("role"), "roles": auth.roles() }),
    )
}
