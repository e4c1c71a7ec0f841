//! The answer that carries tokens.
//!
//! Spec: RFC 6749 §5.1 · RFC 9449 §5 (token_type)

use serde::{Deserialize, Serialize};

use crate::access_token::Confirmation;
use crate::dpop;
use crate::scope::ScopeSet;

/// The JSON body of a successful token answer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenResponse {
    /// The access token.
    pub access_token: String,
    /// How the access token is sent: see [`token_type`].
    pub token_type: String,
    /// Seconds until the access token expires, counted from the answer; 0 from a server that does not say (§5.1 only recommends it).
    #[serde(default)]
    pub expires_in: u64,
    /// What the token may be used for.
    #[serde(default, skip_serializing_if = "ScopeSet::is_empty")]
    pub scope: ScopeSet,
    /// The refresh token, for clients that cannot keep a cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// What kind of token this is, after a token exchange (RFC 8693 §2.2.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_token_type: Option<String>,
    /// What the client learns about the login, when it asked with the scope `openid` (OpenID Connect Core §3.1.3.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
}

/// `DPoP` for a token that is bound to a key (RFC 9449 §5), else `Bearer` (RFC 6750).
pub fn token_type(bound_to: Option<&Confirmation>) -> &'static str {
    match bound_to {
        Some(_) => dpop::SCHEME,
        None => "Bearer",
    }
}

impl std::fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenResponse")
            .field("expires_in", &self.expires_in)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}
