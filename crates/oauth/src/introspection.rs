//! The answer of the introspection endpoint.
//!
//! Spec: RFC 7662 §2.2 · RFC 9449 §6.2 · RFC 9701 §5 (the same, signed)

use serde::{Deserialize, Serialize};

use crate::access_token::AccessTokenClaims;
use crate::token_response::token_type;

/// The `typ` of a signed answer (RFC 9701 §5).
pub const TYPE: &str = "token-introspection+jwt";

/// What a resource server accepts that wants it signed (RFC 9701 §4), and the type of what it gets (§5).
pub const MEDIA_TYPE: &str = "application/token-introspection+jwt";

/// A signed answer (RFC 9701 §5). It has no `sub` and no `exp` of its own: nobody shall take it for a token (§8.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignedIntrospection<R> {
    /// The authorization server.
    pub iss: String,
    /// The resource server that has asked, by the name that it asks by.
    pub aud: String,
    /// Seconds since the epoch at which it was asked.
    pub iat: u64,
    /// What would have been answered without a signature.
    pub token_introspection: R,
}

/// What a resource server learns about a token.
///
/// ```
/// use carnet_oauth::introspection::IntrospectionResponse;
///
/// let body = serde_json::to_string(&IntrospectionResponse::inactive())?;
/// assert_eq!(body, r#"{"active":false}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntrospectionResponse {
    /// Whether the token may be used at this moment at the resource server that asks.
    pub active: bool,
    /// How an active token is sent: `DPoP` when it is bound to a key (RFC 9449 §6.2), else `Bearer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type: Option<String>,
    /// The claims of an active token.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<AccessTokenClaims>,
}

impl IntrospectionResponse {
    /// The one answer for every token that may not be used: it tells nothing about why.
    pub fn inactive() -> Self {
        Self {
            active: false,
            token_type: None,
            claims: None,
        }
    }

    /// The token may be used, and this is what it says.
    pub fn active(claims: AccessTokenClaims) -> Self {
        Self {
            active: true,
            token_type: Some(token_type(claims.cnf.as_ref()).to_owned()),
            claims: Some(claims),
        }
    }
}
