//! The authorization server. Every route on one screen: [`router`].

mod account;
pub mod app;

pub mod assertion;
pub mod audit;
mod auth;
mod authorize;
mod browser;
pub mod client;
mod client_auth;
pub mod clock;
pub mod config;
mod consent;
mod credentials;
mod device;
pub mod directory;
mod discovery;
pub mod email;
mod fan_out;
pub mod feed;
mod front;
mod health;
pub mod http;
mod interaction;
mod introspection;
pub mod keys;
pub mod log;
mod login;
pub mod logout;
pub mod master_key;
mod migration;
pub mod open_error;
pub mod outbound;
pub mod pages;
pub mod password;
pub mod redis_keys;
mod registration;
pub mod remote_keys;
pub mod resource;
mod revocation;
mod revocations;
mod sender;
pub mod serve;
pub mod service_bundle;
mod service_keys;
mod stylesheet;
mod throttle;
pub mod token;
mod token_endpoint;
mod tools;
mod trouble;
pub mod trusted_issuer;
pub mod turns;
mod upkeep;
mod userinfo;
mod wanted;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use carnet_oauth::metadata::Metadata;

use crate::app::App;
use crate::http::manners::{House, keep_manners};

/// The whole server as one router; the listener adds [`carnet_listen::PeerAddr`] to each request.
pub fn router(app: App) -> Router {
    let mut metadata = Metadata::default();
    token_endpoint::advertise(&app, &mut metadata);
    introspection::advertise(&app, &mut metadata);
    revocation::advertise(&app, &mut metadata);
    authorize::advertise(&app, &mut metadata);
    device::advertise(&app, &mut metadata);
    userinfo::advertise(&app, &mut metadata);
    logout::advertise(&app, &mut metadata);
    registration::advertise(&app, &mut metadata);

    let machines = Router::new()
        .merge(token_endpoint::routes())
        .merge(introspection::routes())
        .merge(revocation::routes())
        .merge(revocations::routes())
        .merge(userinfo::routes())
        .merge(service_keys::routes())
        .merge(authorize::routes())
        .merge(device::routes(&app))
        .merge(registration::routes())
        .merge(login::routes(&app))
        .merge(consent::routes(&app))
        .merge(logout::routes())
        .merge(account::routes(&app))
        .merge(stylesheet::routes(&app))
        .merge(discovery::routes(&app, metadata))
        .merge(front::routes())
        .merge(health::routes())
        .merge(tools::routes());
    let first_party = auth::routes(&app);

    let house = House {
        listen: Arc::new(app.config.listen.clone()),
        https: app.config.issuer.is_https(),
        pages: Some(app.clone()),
    };
    machines
        .merge(first_party)
        .layer(from_fn_with_state(house, keep_manners))
        .with_state(app)
}
