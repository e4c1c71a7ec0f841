//! Protects a resource server: a tower layer and axum extractors that only let callers with a valid access token through.
//!
//! ```no_run
//! use carnet_guard::{Auth, Issuer, ResourceServer};
//!
//! # async fn start() -> Result<(), carnet_guard::BuildError> {
//! let guard = ResourceServer::new("https://api.example.com").issuer(Issuer::discover("https://auth.example.com")).build().await?;
//! let app: axum::Router = axum::Router::new()
//!     .route("/orders", axum::routing::get(|auth: Auth| async move { format!("orders of {}", auth.sub()) }))
//!     .layer(guard.layer());
//! # Ok(())
//! # }
//! ```
//!
//! With the feature `axum`, which is on unless it is switched off, handlers take [`Auth`] as an argument. Without it the layers guard any tower
//! service of `http::Request`s, tonic's among them, and [`Auth`] is in the request's extensions.

mod announce;
mod answer;
mod asserted;
mod auth;
mod binding;
mod body;
mod caller;
mod caller_layer;
mod calling_services;
mod certificate;
mod challenge;
mod check;
mod check_caller;
mod claim;
#[cfg(feature = "axum")]
mod extract;
#[cfg(feature = "axum")]
mod extract_caller;
mod from_gateway;
mod gateway;
mod health;
mod issuer;
mod layer;
mod lookup;
mod metadata;
mod opaque;
mod peer;
mod plain_headers;
mod public_url;
mod replay;
mod request_id;
mod resource_server;
mod revocations;
mod right;
mod rule;
mod spiffe;
mod succession;
pub mod testing;
mod token;
mod typed;
#[cfg(feature = "axum")]
pub mod web;

pub use answer::Denied;
pub use auth::{Auth, Nothing};
pub use body::GuardBody;
pub use caller::{Caller, UserOrService};
pub use caller_layer::{CallerLayer, CallerService};
pub use calling_services::Services;
pub use carnet_client::clock::{Clock, SystemClock};
pub use carnet_client::revocations::{OnLoss, Status};
pub use carnet_jose::Algorithm;
pub use certificate::{CertificateHeader, ClientCertificate};
pub use challenge::{Refused, StepUp};
pub use claim::{ClaimPath, ClaimTest};
pub use from_gateway::{ByAssertion, ByHeaders, FromGateway};
pub use health::{IssuerHealth, ServicesHealth};
pub use issuer::{Introspection, Issuer};
pub use layer::{GuardLayer, GuardService, RuleLayer, RuleService};
pub use metadata::{PublishedMetadata, ResourceMetadata};
pub use peer::{PeerAddress, UnixPeer};
pub use resource_server::{BuildError, Builder, Guard, ResourceServer};
pub use revocations::Revocations;
pub use right::{Right, Rights, User};
pub use rule::{ClaimRule, Rule};
pub use spiffe::Spiffe;

/// The examples of the guide compile.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guard.md")]
struct Guide;
