//! Client credentials: a client asks for itself, and no user stands behind the token.
//!
//! Spec: RFC 6749 §4.4 · RFC 9068 §2.2, §5

use carnet_oauth::scope::{OPENID_SCOPES, ScopeSet};
use carnet_oauth::token_response::TokenResponse;

use super::request::TokenRequest;
use crate::http::failure::Failure;
use crate::token::access::{self, Approved, Subject};

/// An access token alone: §4.4.3 has no refresh token.
pub(super) fn grant(request: &TokenRequest<'_>) -> Result<TokenResponse, Failure> {
    let most: ScopeSet = request.client.scope.without(OPENID_SCOPES);
    let scope = request.scope(&most)?;
    let audience = request.audience(&request.client.audiences)?;
    let minted = access::mint(
        request.app,
        Approved {
            subject: Subject::Client,
            client: request.client,
            audience,
            scope: scope.clone(),
            jkt: request.jkt,
            act: None,
            ends_by: None,
        },
    )?;
    Ok(minted.answer(scope))
}
