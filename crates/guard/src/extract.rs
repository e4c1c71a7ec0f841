//! The axum extractor: the caller of a request, with the rights that the handler's signature asks for.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::auth::Auth;
use crate::right::Rights;

impl<S: Rights, State: Send + Sync> FromRequestParts<State> for Auth<S> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Response> {
        let Some(auth) = parts.extensions.get::<Auth>() else {
            tracing::error!(
                path = parts.uri.path(),
                "Auth is asked for on a route that the guard's layer does not cover"
            );
            return Err(StatusCode::INTERNAL_SERVER_ERROR.into_response());
        };
        if let Some(rule) = S::rule() {
            rule.check(auth).map_err(IntoResponse::into_response)?;
        }
        Ok(auth.with_rights())
    }
}
