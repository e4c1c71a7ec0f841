//! The first-party login API: JSON, a refresh cookie, CORS for listed origins.
//!
//! Spec: RFC 6749 §5.1 (answers) · RFC 9700 §4.14 (refresh tokens) · RFC 10017 §6.1 (browser apps)

mod answer;
mod holder;
mod login;
mod logout;
mod me;
mod password;
mod refresh;
mod register;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::app::App;
use crate::http::origin::{Origins, require_same_site};

/// The routes of the login API.
pub(crate) fn routes(app: &App) -> Router<App> {
    let clients = app.directory.login_clients();
    let listed = clients.flat_map(|client| client.origins.iter().cloned());
    let origins = Origins::new(app.config.issuer.origin(), listed);
    Router::new()
        .route("/auth/register", post(register::register))
        .route("/auth/login", post(login::login))
        .route("/auth/refresh", post(refresh::refresh))
        .route("/auth/logout", post(logout::logout))
        .route("/auth/password", post(password::change))
        .route("/auth/me", get(me::me))
        .route_layer(from_fn_with_state(origins.clone(), require_same_site))
        .layer(origins.cors())
}
