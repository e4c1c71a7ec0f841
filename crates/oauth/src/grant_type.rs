//! Grant types: how a token is asked for.
//!
//! Spec: RFC 6749 §1.3, §4.5 · OAuth 2.1 §4 · RFC 7523 §2.1 · RFC 8628 §3.4 · RFC 8693 §2.1

use serde::{Deserialize, Serialize};

/// The grant types that the token endpoint knows. The implicit and the password grant have no variant (RFC 9700 §2.1.2, §2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// A code that the browser brought back (RFC 6749 §4.1).
    AuthorizationCode,
    /// A refresh token (RFC 6749 §6).
    RefreshToken,
    /// The client itself (RFC 6749 §4.4).
    ClientCredentials,
    /// A device without a keyboard, whose user decides elsewhere (RFC 8628 §3.4).
    #[serde(alias = "urn:ietf:params:oauth:grant-type:device_code")]
    DeviceCode,
    /// A user's token for another that names who acts (RFC 8693 §2.1).
    #[serde(alias = "urn:ietf:params:oauth:grant-type:token-exchange")]
    TokenExchange,
    /// An assertion: of the client itself, or of an issuer that the operator trusts, about a user (RFC 7523 §2.1).
    #[serde(alias = "urn:ietf:params:oauth:grant-type:jwt-bearer")]
    JwtBearer,
}

impl GrantType {
    /// Every grant type.
    pub const ALL: [Self; 6] = [
        Self::AuthorizationCode,
        Self::RefreshToken,
        Self::ClientCredentials,
        Self::DeviceCode,
        Self::TokenExchange,
        Self::JwtBearer,
    ];

    /// Its name in requests and metadata.
    pub fn name(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
            Self::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
        }
    }

    /// Its name for people and in configurations: without the prefix that an extension has (RFC 6749 §4.5).
    pub fn short_name(self) -> &'static str {
        match self {
            Self::DeviceCode => "device_code",
            Self::TokenExchange => "token_exchange",
            Self::JwtBearer => "jwt_bearer",
            other => other.name(),
        }
    }

    /// The grant type of this name, as requests write it.
    ///
    /// ```
    /// use carnet_oauth::grant_type::GrantType;
    ///
    /// assert_eq!(GrantType::named("client_credentials"), Some(GrantType::ClientCredentials));
    /// assert_eq!(GrantType::named("password"), None);
    /// ```
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant_type| grant_type.name() == name)
    }
}
