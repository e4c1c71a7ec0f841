//! What handlers of a server-rendered app take beside the caller: the proof for a form, the token for calls to an API.
//!
//! Spec: RFC 6750 §2.1 (calls with the token) · RFC 9700 §4.7 (CSRF)

use std::fmt;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::request::Parts;

use super::csrf::{FIELD, Proof};

/// The proof that goes into every form that changes something: as the field `_csrf`, or from a script as the header `X-CSRF-Token`.
///
/// Displays as its value. It holds for as long as the login does, across refreshes.
#[derive(Clone)]
pub struct CsrfToken(String);

impl CsrfToken {
    /// A hidden input. In a multipart form it must come first.
    pub fn field(&self) -> String {
        format!("<input type=\"hidden\" name=\"{FIELD}\" value=\"{self}\">")
    }
}

/// The user's access token, for calls to an API in the user's name. It never goes into a page.
#[derive(Clone)]
pub struct AccessToken(Arc<str>);

impl AccessToken {
    pub(super) fn new(token: &str) -> Self {
        Self(token.into())
    }

    /// The token itself, for an `Authorization` header.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CsrfToken {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let made = parts.extensions.get::<Proof>().and_then(Proof::make);
        made.map(Self).ok_or_else(|| uncovered(parts, "CsrfToken"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for AccessToken {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let token = parts.extensions.get::<Self>().cloned();
        token.ok_or_else(|| uncovered(parts, "AccessToken"))
    }
}

pub(super) fn uncovered(parts: &Parts, what: &str) -> Response {
    let path = parts.uri.path();
    tracing::error!(
        path,
        what,
        "is asked for on a route that no layer of the app covers"
    );
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

impl fmt::Display for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfToken")
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken")
    }
}
