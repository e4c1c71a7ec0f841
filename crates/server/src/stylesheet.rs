//! The style sheet of the pages, at an address that changes with it.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::header;

use crate::app::App;

/// The route.
pub(crate) fn routes(app: &App) -> Router<App> {
    Router::new().route(&app.pages.style_path, get(style))
}

async fn style(State(app): State<App>) -> impl axum::response::IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, app.pages.style.clone())
}
