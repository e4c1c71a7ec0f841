//! The claims of an ID token.
//!
//! Spec: OpenID Connect Core 1.0 §2

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a client learns about the login itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdTokenClaims {
    /// The issuer, byte for byte as in its metadata.
    pub iss: String,
    /// The user.
    pub sub: String,
    /// The client: an ID token is for nobody else.
    pub aud: String,
    /// Seconds since the epoch after which it is refused.
    pub exp: u64,
    /// Seconds since the epoch at which it was made.
    pub iat: u64,
    /// When the user proved who they are, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<u64>,
    /// What the authorization request said, so that the answer belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// How the user proved who they are, when the request asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// The methods of that proof (RFC 8176).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// The first half of the access token's SHA-256, as OpenID Connect Core §3.1.3.6 says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_hash: Option<String>,
    /// The session at the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// What the client asked for about the user, when it is registered to have that here.
    #[serde(flatten)]
    pub user: BTreeMap<String, serde_json::Value>,
}
