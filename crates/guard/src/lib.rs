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

mod auth;
mod binding;
mod challenge;
mod check;
mod extract;
mod issuer;
mod layer;
mod public_url;
mod replay;
mod resource_server;
mod right;
mod rule;
pub mod testing;

pub use auth::Auth;
pub use carnet_client::clock::{Clock, SystemClock};
pub use carnet_jose::Algorithm;
pub use challenge::Refused;
pub use issuer::{Introspection, Issuer};
pub use layer::{GuardLayer, GuardService, RuleLayer, RuleService};
pub use resource_server::{BuildError, Builder, Guard, ResourceServer};
pub use right::{Right, Rights};
pub use rule::Rule;
