//! How a client proves who it is.
//!
//! Spec: RFC 7591 §2 (token_endpoint_auth_method) · RFC 6749 §2.3 · OpenID Connect Core §9 · RFC 7523 §3 (assertions)

use serde::{Deserialize, Serialize};

use crate::access_token::Audience;
use crate::numeric_date;
use crate::scope::ScopeSet;

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

/// The claims of an assertion (RFC 7523 §3). Of a client's own, `iss` and `sub` are the client; `aud` is us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssertionClaims {
    /// Who signs it.
    pub iss: String,
    /// Whom it is about: the client once more, or a user.
    pub sub: String,
    /// The server that it is meant for, and no other (RFC 7523 §3; CVE-2025-27370).
    pub aud: Audience,
    /// Its own name, so that it counts once.
    pub jti: String,
    /// Seconds since the epoch after which it is refused. A fraction is cut off.
    #[serde(deserialize_with = "numeric_date::seconds")]
    pub exp: u64,
    /// Seconds since the epoch at which it was made. A fraction is cut off.
    #[serde(
        default,
        deserialize_with = "numeric_date::seconds_if_any",
        skip_serializing_if = "Option::is_none"
    )]
    pub iat: Option<u64>,
    /// For a grant: the one client that may use it, when it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// For a grant: no more than this may come of it, when it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeSet>,
}

impl AssertionClaims {
    /// What is wrong with what a signed assertion says at `now`, when it may live for `longest` seconds (RFC 7523 §3).
    ///
    /// ```
    /// use carnet_oauth::client_auth::AssertionClaims;
    ///
    /// let claims = serde_json::json!({ "iss": "svc", "sub": "svc", "aud": "https://auth.example.com", "jti": "1", "exp": 1_060 });
    /// let claims: AssertionClaims = serde_json::from_value(claims)?;
    /// assert_eq!(claims.unfit(1_000, 300), None);
    /// assert_eq!(claims.unfit(1_000, 30), Some("exp lies too far ahead"));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn unfit(&self, now: u64, longest: u64) -> Option<&'static str> {
        let most = longest.saturating_add(CLOCK_SECONDS);
        let is_future = |iat: u64| iat > now.saturating_add(MAX_LEEWAY_SECONDS);
        let is_old = |iat: u64| now.saturating_sub(iat) > longest.saturating_add(MAX_LEEWAY_SECONDS);
        let faults = [
            (!self.aud.is_alone(), "aud names others beside this server"),
            (self.jti.is_empty(), "jti is empty"),
            (self.exp.saturating_sub(now) > most, "exp lies too far ahead"),
            (self.iat.is_some_and(is_future), "iat lies in the future"),
            (self.iat.is_some_and(is_old), "iat lies too far back"),
        ];
        faults.into_iter().find_map(|(wrong, what)| wrong.then_some(what))
    }

    /// Until when its `jti` must be remembered, in seconds since the epoch: for as long as it could come back (§3, item 7).
    pub fn remembered_until(&self) -> u64 {
        self.exp.saturating_add(MAX_LEEWAY_SECONDS)
    }
}

/// What the clocks of a client and this server may differ by.
pub const CLOCK_SECONDS: u64 = 10;
/// What they may differ by at the most.
pub const MAX_LEEWAY_SECONDS: u64 = 60;
