//! `/health/live` and `/health/ready`, for whatever starts and stops us.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{StatusCode, header};

use crate::app::App;

/// The routes.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
}

async fn live() -> Response {
    answer(StatusCode::OK, r#"{"status":"live"}"#)
}

/// Ready means: the store reads and writes, and there is a key to sign with. What exactly is missing is in the log alone.
async fn ready(State(app): State<App>) -> Response {
    if !app.keys.ready() {
        tracing::error!("not ready: an algorithm has no active signing key");
        return answer(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"not_ready"}"#);
    }
    match app.store.check().await {
        Ok(()) => answer(StatusCode::OK, r#"{"status":"ready"}"#),
        Err(error) => {
            tracing::error!(%error, "not ready: the store does not read and write");
            answer(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"not_ready"}"#)
        }
    }
}

fn answer(status: StatusCode, body: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
