//! Token exchange: the names of the kinds of token.
//!
//! Spec: RFC 8693 §3

/// An access token (§3).
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// Any JWT (§3); our access tokens are such.
pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
