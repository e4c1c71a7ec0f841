//! Client credentials: a client asks for itself, and no user stands behind the token.
//!
//! Spec: RFC 6749 §4.4 · RFC 9068 §2.2, §5

use carnet_oauth::error_code::ErrorCode;
use carnet_oauth::scope::{OPENID_SCOPES, ScopeSet};
use carnet_oauth::token_response::TokenResponse;

use super::request::TokenRequest;
use crate::http::failure::{Because as _, Failure};
use crate::token::access::{self, Approved, Subject};

/// An access token alone: §4.4.3 has no refresh token.
pub(super) fn grant(request: &TokenRequest<'_>) -> Result<TokenResponse, Failure> {
    within(request, None)
}

/// What is left of a scope that an assertion narrows (RFC 7521 §4.1: no more than it says).
pub(super) fn narrowed(most: ScopeSet, said: Option<&ScopeSet>) -> Result<ScopeSet, Failure> {
    let Some(said) = said else {
        return Ok(most);
    };
    let left = most.intersection(said);
    match left.is_empty() {
        true => Err(ErrorCode::InvalidScope.because(NOTHING_LEFT).into()),
        false => Ok(left),
    }
}

/// Why there is no token that is good for nothing.
pub(super) const NOTHING_LEFT: &str = "nothing is left of the scope";

/// The same, of no more scope than `said`, when that says anything.
pub(super) fn within(request: &TokenRequest<'_>, said: Option<&ScopeSet>) -> Result<TokenResponse, Failure> {
    let own = request.client.scope.without(OPENID_SCOPES);
    let scope = request.scope(narrowed(own, said)?)?;
    let audience = request.audience(&request.client.audiences)?;
    access::mint(
        request.app,
        Approved {
            subject: Subject::Client,
            client: request.client,
            audience,
            scope,
            jkt: request.jkt,
            act: None,
            ends_by: None,
        },
    )
}
