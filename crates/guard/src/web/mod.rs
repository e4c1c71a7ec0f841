//! Server-rendered apps: login, both tokens in HttpOnly cookies, refresh inside the request, and proof that a form was the app's own.
//!
//! Spec: RFC 10017 §6.1 (tokens stay at the server's side) · RFC 6265bis §4.1 · OpenID Connect Core §3.1
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use carnet_guard::web::{CsrfToken, WebApp};
//! use carnet_guard::{Auth, Issuer};
//!
//! # async fn start() -> Result<(), carnet_guard::BuildError> {
//! let web = WebApp::new("https://notes.example.com", Issuer::discover("https://auth.example.com"))
//!     .client_secret_file("notes", "notes.secret")?
//!     .audience("https://api.example.com")
//!     .scope("openid email read:notes")
//!     .build()
//!     .await?;
//! let app: Router = Router::new()
//!     .route("/notes", get(async |auth: Auth, csrf: CsrfToken| format!("notes of {}: <form method=post>{}…", auth.sub(), csrf.field())))
//!     .layer(web.layer())
//!     .merge(web.routes());
//! # Ok(())
//! # }
//! ```

/// The examples of the guide compile.
#[cfg(doctest)]
#[doc = include_str!("../../../../docs/server-rendered.md")]
struct Guide;

mod app;
mod asked;
mod body;
mod builder;
mod callback;
mod csrf;
mod ended;
mod extract;
mod held;
mod layer;
mod login;
mod login_end;
mod logout;
mod page;
mod pending;
mod renew;
mod session;
mod settings;
mod source;
mod step_up;
mod whose;

pub use app::Web;
pub use builder::WebApp;
pub use extract::{AccessToken, CsrfToken};
pub use layer::{WebLayer, WebService};
pub use login_end::LoginEnd;
