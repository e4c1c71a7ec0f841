//! What a user has let a client do at a resource, where nobody is there to be asked.
//!
//! Spec: RFC 7521 §4.1 (authorization grants) · RFC 8693 §2.2.1 (scope) · RFC 8707 §2 (resource)

use carnet_oauth::scope::ScopeSet;
use carnet_store::{GrantKey, User};

use super::request::TokenRequest;
use crate::config::Consent;
use crate::http::failure::Failure;

/// The scope that the user is remembered to have let the client have there, or the client's own with `consent = "none"`; `None` when there is no such
/// consent.
pub(super) async fn scope(
    request: &TokenRequest<'_>,
    user: &User,
    audience: &str,
) -> Result<Option<ScopeSet>, Failure> {
    let client = request.client;
    let key = GrantKey {
        user: user.id,
        client_id: &client.id,
        audience,
    };
    let granted = match client.consent {
        Consent::None => return Ok(Some(client.scope.clone())),
        Consent::Remembered => request.app.store.granted(key).await?,
        // Asked every time, and here is nobody to ask.
        Consent::Explicit => None,
    };
    if granted.is_none() {
        tracing::info!(client_id = %client.id, sub = %user.sub, %audience, "no consent of the user for this client and resource is remembered");
    }
    Ok(granted.map(|granted| granted.scope))
}
