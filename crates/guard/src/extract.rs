//! The axum extractor: the caller of a request, with the rights and the claims that the handler's signature asks for.
//!
//! Spec: RFC 6750 §3 · RFC 9457

use axum::body::Body;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use crate::answer::{Denied, answer};
use crate::auth::Auth;
use crate::challenge::Refused;
use crate::resource_server::Guard;
use crate::right::Rights;

impl<S: Rights, X: DeserializeOwned, State: Send + Sync> FromRequestParts<State> for Auth<S, X> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Response> {
        match caller(parts).await? {
            Ok(auth) => asked_for(&auth).map_err(IntoResponse::into_response),
            Err((refused, guard)) => Err(guard.refusal(&refused, &parts.headers).map(Body::from)),
        }
    }
}

/// `Option<Auth>` takes callers without a token too: for routes that are public. A token that is sent must be good all the same.
impl<S: Rights, X: DeserializeOwned, State: Send + Sync> OptionalFromRequestParts<State> for Auth<S, X> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Option<Self>, Response> {
        match caller(parts).await? {
            Ok(auth) => asked_for(&auth).map(Some).map_err(IntoResponse::into_response),
            Err((Refused::TokenMissing | Refused::CallerMissing, _)) => Ok(None),
            Err((refused, guard)) => Err(guard.refusal(&refused, &parts.headers).map(Body::from)),
        }
    }
}

/// Whom the layer has found; where it let everybody through, or stands elsewhere, the guard that is lent to the route looks now.
async fn caller(parts: &mut Parts) -> Result<Result<Auth, (Refused, Guard)>, Response> {
    if let Some(auth) = parts.extensions.get::<Auth>() {
        return Ok(Ok(auth.clone()));
    }
    let Some(guard) = parts.extensions.get::<Guard>().cloned() else {
        tracing::error!(
            path = parts.uri.path(),
            "Auth is asked for on a route that no guard covers: put the guard's layer around it, or lend it by Extension(guard)"
        );
        return Err(StatusCode::INTERNAL_SERVER_ERROR.into_response());
    };
    Ok(match guard.check_once(parts).await {
        Ok(auth) => {
            // A proof counts once: whoever asks again gets the same answer.
            parts.extensions.insert(auth.clone());
            Ok(auth)
        }
        Err(refused) => Err((refused, guard)),
    })
}

fn asked_for<S: Rights, X: DeserializeOwned>(auth: &Auth) -> Result<Auth<S, X>, Denied> {
    if let Some(rule) = S::rule() {
        rule.check(auth).map_err(|refused| auth.denied(refused))?;
    }
    Ok(auth.with(auth.claims()?))
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        answer(&self, None, &HeaderMap::new()).map(Body::from)
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        self.answer(&HeaderMap::new()).map(Body::from)
    }
}
