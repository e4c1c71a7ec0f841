//! Client credentials: a client asks for itself, and no user stands behind the token.
//!
//! Spec: RFC 6749 §4.4 · RFC 9068 §2.2, §5

use carnet_oauth::scope::{OPENID_SCOPES, ScopeSet};
use carnet_oauth::token_response::TokenResponse;

use super::request::TokenRequest;
use crate::http::failure::Failure;
use crate::token::access::{self, Approved, Subject};
use crate::wanted;

/// An access token alone: §4.4.3 has no refresh token.
pub(super) fn grant(request: &TokenRequest<'_>) -> Result<TokenResponse, Failure> {
    within(request, None)
}

/// The same, of no more scope than `said`, when that says anything.
pub(super) fn within(request: &TokenRequest<'_>, said: Option<&ScopeSet>) -> Result<TokenResponse, Failure> {
    let own = request.client.scope.without(OPENID_SCOPES);
    let most = match said {
        Some(said) => wanted::narrowed(&own, said)?,
        None => own,
    };
    let scope = request.scope(most)?;
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
