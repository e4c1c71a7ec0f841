//! The answer that carries tokens.
//!
//! Spec: RFC 6749 §5.1

use serde::{Deserialize, Serialize};

use crate::scope::ScopeSet;

/// The JSON body of a successful token answer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenResponse {
    /// The access token.
    pub access_token: String,
    /// Always `Bearer` for tokens that are not bound to a key.
    pub token_type: String,
    /// Seconds until the access token expires, counted from the answer.
    pub expires_in: u64,
    /// What the token may be used for.
    #[serde(default, skip_serializing_if = "ScopeSet::is_empty")]
    pub scope: ScopeSet,
    /// The refresh token, for clients that cannot keep a cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// What the client learns about the login, when it asked with the scope `openid` (OpenID Connect Core §3.1.3.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
}

impl std::fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenResponse")
            .field("expires_in", &self.expires_in)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}
