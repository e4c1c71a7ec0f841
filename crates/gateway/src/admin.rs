//! The operator's listener: metrics and health.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::{StatusCode, header};

use crate::Gateway;

/// `/metrics`, `/health/live`, `/health/ready`.
pub(crate) fn router(gateway: &Gateway) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/health/live", get(|| async { "live\n" }))
        .route("/health/ready", get(ready))
        .with_state(gateway.clone())
}

async fn metrics(State(gateway): State<Gateway>) -> ([(header::HeaderName, &'static str); 1], String) {
    const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let metrics = gateway.metrics();
    metrics.servers(gateway.site().servers());
    ([(header::CONTENT_TYPE, TYPE)], metrics.text())
}

/// Not before the keys of every issuer are there.
async fn ready(State(gateway): State<Gateway>) -> (StatusCode, &'static str) {
    match gateway.site().is_ready() {
        true => (StatusCode::OK, "ready\n"),
        false => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the keys of an issuer were never loaded\n",
        ),
    }
}
