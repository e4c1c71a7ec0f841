//! `/oauth/register`: clients register themselves, see and change what they are registered with, and leave, as far as the policy lets them.
//!
//! Spec: RFC 7591 · RFC 7592 · OpenID Connect Dynamic Client Registration 1.0

mod answer;
mod endpoint;
mod flaw;
mod management;
mod request;
mod settings;

use axum::Router;
use axum::routing::{get, post};
use carnet_oauth::metadata::Metadata;

use crate::app::App;
use crate::config::ClientRegistrationPolicy;
use crate::http::origin::open_cors;
use answer::PATH;

/// The routes. No cookie is read here, so the page of any origin may call them.
pub(crate) fn routes() -> Router<App> {
    let managed = get(management::read)
        .put(management::change)
        .delete(management::delete);
    Router::new()
        .route(PATH, post(endpoint::register))
        .route(&format!("{PATH}/{{client_id}}"), managed)
        .layer(open_cors().allow_methods("GET,POST,PUT,DELETE"))
}

/// What discovery says of it.
pub(crate) fn advertise(app: &App, metadata: &mut Metadata) {
    if app.config.client_registration.policy != ClientRegistrationPolicy::Closed {
        metadata.registration_endpoint = Some(app.config.issuer.join(PATH));
    }
}
