//! The axum extractors of services that call.
//!
//! Spec: RFC 6750 §3

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::request::Parts;

use crate::auth::Auth;
use crate::caller::{Caller, UserOrService};

impl<State: Send + Sync> FromRequestParts<State> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Response> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| {
            uncovered(parts, "Caller is asked for on a route that caller_in does not cover, or that users may call: take UserOrService there")
        })
    }
}

impl<State: Send + Sync> FromRequestParts<State> for UserOrService {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Response> {
        let service = parts.extensions.get::<Caller>().cloned().map(Self::Service);
        let user = || parts.extensions.get::<Auth>().cloned().map(Self::User);
        service.or_else(user).ok_or_else(|| {
            uncovered(
                parts,
                "UserOrService is asked for on a route that no layer of the guard covers",
            )
        })
    }
}

fn uncovered(parts: &Parts, what: &str) -> Response {
    tracing::error!(path = parts.uri.path(), "{what}");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
