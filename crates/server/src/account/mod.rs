//! `/account`: people look at what is theirs and end it: where they are signed in, and which apps have access.
//!
//! Spec: OAuth 2.0 Grant Management (the idea) · RFC 9700 §4.7.1 (CSRF)

mod apps;
mod device;
mod person;
mod said;
mod sessions;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::Redirect;
use axum::routing::get;

use crate::app::App;
use crate::http::visitor::require_page_of_ours;

/// The routes. What changes anything has a page of its own, which says what it will come to.
pub(crate) fn routes(app: &App) -> Router<App> {
    Router::new()
        .route("/account", get(async || Redirect::to(sessions::PATH)))
        .merge(sessions::routes())
        .merge(apps::routes())
        .route_layer(from_fn_with_state(app.clone(), require_page_of_ours))
}
