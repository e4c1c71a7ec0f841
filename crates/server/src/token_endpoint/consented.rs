//! What a user has let a client do at a resource, where nobody is there to be asked.
//!
//! Spec: RFC 7521 §4.1 (authorization grants) · RFC 8693 §2.2.1 (scope) · RFC 8707 §2 (resource)

use carnet_oauth::scope::{OPENID_SCOPES, ScopeSet};
use carnet_store::{GrantKey, User};

use super::client_credentials::narrowed;
use super::request::TokenRequest;
use crate::config::Consent;
use crate::http::failure::Failure;

/// Of the client's scopes those that the user has let it have there, or all where the operator lets its own; `None` when the user has not let it at
/// all. Nothing about the person: nobody has logged in.
///
/// # Errors
/// `invalid_scope` when nothing is left.
pub(super) async fn scope(
    request: &TokenRequest<'_>,
    user: &User,
    audience: &str,
) -> Result<Option<ScopeSet>, Failure> {
    let client = request.client;
    let own = client.scope.without(OPENID_SCOPES);
    let key = GrantKey {
        user: user.id,
        client_id: &client.id,
        audience,
    };
    let granted = match client.consent {
        Consent::None => return Ok(Some(own)),
        Consent::Remembered => request.app.store.granted(key).await?,
        // Asked every time, and here is nobody to ask.
        Consent::Explicit => None,
    };
    let most = granted.map(|granted| narrowed(own, Some(&granted.scope)));
    most.transpose()
}
