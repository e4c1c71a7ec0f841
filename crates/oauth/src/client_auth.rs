//! How a client proves who it is.
//!
//! Spec: RFC 7591 §2 (token_endpoint_auth_method) · RFC 6749 §2.3 · OpenID Connect Core §9

use serde::{Deserialize, Serialize};

use crate::access_token::Audience;

/// The one method that a client is registered with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// A public client: it has no secret, and PKCE stands in (RFC 6749 §2.1).
    #[default]
    None,
    /// Name and secret in the `Authorization` header (RFC 6749 §2.3.1).
    ClientSecretBasic,
    /// Name and secret in the body (RFC 6749 §2.3.1).
    ClientSecretPost,
    /// A JWT signed with the client's own key (RFC 7523 §2.2).
    PrivateKeyJwt,
}

impl AuthMethod {
    /// Every method.
    pub const ALL: [Self; 4] = [
        Self::None,
        Self::ClientSecretBasic,
        Self::ClientSecretPost,
        Self::PrivateKeyJwt,
    ];

    /// Its name in requests and metadata.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }

    /// The method of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    /// Whether it takes a secret that the server knows the digest of.
    pub fn has_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost)
    }
}

/// The value of `client_assertion_type` for a JWT (RFC 7523 §2.2).
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The claims of a client's assertion (RFC 7523 §3): `iss` and `sub` are the client, `aud` is us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssertionClaims {
    /// The client.
    pub iss: String,
    /// The client once more.
    pub sub: String,
    /// The server that it is meant for, and no other (RFC 7523 §3; CVE-2025-27370).
    pub aud: Audience,
    /// Its own name, so that it counts once.
    pub jti: String,
    /// Seconds since the epoch after which it is refused.
    pub exp: u64,
    /// Seconds since the epoch at which it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<u64>,
}
