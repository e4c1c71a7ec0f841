//! Device flow: a device without a keyboard asks here, and its user decides in a browser.
//!
//! Spec: RFC 8628

mod authorization;
mod verification;

use axum::Router;
use carnet_oauth::metadata::Metadata;

use crate::app::App;

/// The routes: the endpoint for devices, and the pages for people.
pub(crate) fn routes(app: &App) -> Router<App> {
    authorization::routes().merge(verification::routes(app))
}

/// What discovery says of it.
pub(crate) fn advertise(app: &App, metadata: &mut Metadata) {
    metadata.device_authorization_endpoint = Some(app.config.issuer.join(authorization::PATH));
}
