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
    let (metrics, site) = (gateway.metrics(), gateway.site());
    metrics.servers(site.servers());
    ([(header::CONTENT_TYPE, TYPE)], metrics.text(site.revocations()))
}

/// Not before the keys of every issuer are there, and not while nobody can tell what was taken back.
async fn ready(State(gateway): State<Gateway>) -> (StatusCode, &'static str) {
    let site = gateway.site();
    if site.is_ready() {
        return (StatusCode::OK, "ready\n");
    }
    let lost = site.revocations().any(|(_, status)| !status.available);
    let why = match lost {
        true => "the revocation feed of an issuer is lost\n",
        false => "the keys of an issuer were never loaded\n",
    };
    (StatusCode::SERVICE_UNAVAILABLE, why)
}
