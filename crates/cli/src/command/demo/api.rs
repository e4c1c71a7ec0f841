//! The demo's guarded API, as anybody would write one with `carnet-guard`.

use axum::routing::get;
use axum::{Json, Router};
use carnet_guard::{Auth, Introspection, Issuer, ResourceServer};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::failure::Failure;

/// Answers callers with a valid token; a revoked one is refused at once, since each token is asked about.
pub(super) async fn serve(
    listener: TcpListener,
    (issuer, audience): (&str, &str),
    (id, secret): (&str, &str),
) -> Result<JoinHandle<()>, Failure> {
    let introspection =
        Introspection::at(format!("{issuer}/oauth/introspect"), id, secret).cache(Duration::ZERO);
    let guard = ResourceServer::new(audience)
        .issuer(Issuer::discover(issuer).introspect(introspection))
        .leeway(Duration::ZERO)
        .build()
        .await;
    let guard = guard.map_err(|error| Failure::broken(error.to_string()))?;
    let routes = Router::new()
        .route("/api/data", get(data))
        .route("/api/user/profile", get(profile))
        .layer(guard.layer());
    Ok(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::error!(%error, "the demo's API stopped");
        }
    }))
}

async fn data() -> Json<Value> {
    Json(json!({ "data": ["what only callers with a token see"] }))
}

async fn profile(auth: Auth) -> Json<Value> {
    Json(
        json!({ "userId": auth.sub(), "email": auth.claim("email"), "role": auth.claim("role"), "roles": auth.roles() }),
    )
}
