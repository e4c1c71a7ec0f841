//! `/`: what a person sees who has only the address of this server. Programs ask for nothing there, and find nothing.
//!
//! Spec: RFC 9110 §12.5.1 (Accept)

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{HeaderMap, StatusCode};
use serde_json::json;

use crate::app::App;
use crate::http::negotiation::wants_page;
use crate::http::page::{View, language, page};

/// The route.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/", get(front))
}

async fn front(State(app): State<App>, headers: HeaderMap) -> Response {
    if !wants_page(&headers) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let view = View::in_language(language(None, &headers));
    let content = json!({ "issuer": app.config.issuer.as_str(), "client": null, "language_links": [] });
    page(&app, "front.html", &view, &content).unwrap_or_else(|failure| failure.into_response())
}
