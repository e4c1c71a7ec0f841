//! The authorization server. Every route on one screen: [`router`].

pub mod app;
pub mod audit;
mod auth;
pub mod client;
mod client_auth;
pub mod clock;
pub mod config;
mod discovery;
pub mod email;
mod health;
pub mod http;
mod introspection;
pub mod keys;
pub mod listen;
pub mod log;
pub mod master_key;
pub mod open_error;
pub mod password;
pub mod secret_file;
pub mod serve;
mod throttle;
pub mod tls_pair;
pub mod token;
mod tools;
pub mod turns;
mod upkeep;

use axum::Router;
use axum::middleware::from_fn_with_state;
use carnet_oauth::metadata::Metadata;

use crate::app::App;
use crate::http::manners::keep_manners;
use crate::http::transport::require_protected;

/// The whole server as one router; the listener adds [`listen::PeerAddr`] to each request.
pub fn router(app: App) -> Router {
    let mut metadata = Metadata::default();
    introspection::advertise(&app, &mut metadata);

    let machines = Router::new()
        .merge(introspection::routes())
        .merge(discovery::routes(&app, metadata))
        .merge(health::routes())
        .merge(tools::routes());
    let first_party = auth::routes(&app);

    let https = app.config.issuer.is_https();
    machines
        .merge(first_party)
        .layer(from_fn_with_state(app.clone(), require_protected))
        .layer(from_fn_with_state(https, keep_manners))
        .with_state(app)
}
