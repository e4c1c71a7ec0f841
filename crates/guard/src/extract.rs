//! The axum extractor: the caller of a request, with the scopes that the handler's signature asks for.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::auth::Auth;
use crate::scope::Scopes;

impl<S: Scopes, State: Send + Sync> FromRequestParts<State> for Auth<S> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Response> {
        let Some(auth) = parts.extensions.get::<Auth>() else {
            tracing::error!(
                path = parts.uri.path(),
                "Auth is asked for on a route that the guard's layer does not cover"
            );
            return Err(StatusCode::INTERNAL_SERVER_ERROR.into_response());
        };
        S::check(auth).map_err(IntoResponse::into_response)?;
        Ok(auth.with_scopes())
    }
}
