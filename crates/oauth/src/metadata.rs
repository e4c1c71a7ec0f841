//! What an authorization server says of itself.
//!
//! Spec: RFC 8414 §2, §3

use serde::{Deserialize, Serialize};

/// The metadata document of an authorization server. Members that do not apply are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The issuer, byte for byte the prefix of the document's URL.
    pub issuer: String,
    /// Where the public keys are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// RFC 6749 §3.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_endpoint: Option<String>,
    /// RFC 6749 §3.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint: Option<String>,
    /// RFC 7662.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection_endpoint: Option<String>,
    /// How a resource server proves itself at the introspection endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub introspection_endpoint_auth_methods_supported: Vec<String>,
    /// RFC 8414 §2 demands this member, though it may be empty.
    #[serde(default)]
    pub response_types_supported: Vec<String>,
    /// RFC 8414 §2: left out would mean `authorization_code` and `implicit`.
    #[serde(default)]
    pub grant_types_supported: Vec<String>,
    /// The scopes that may be asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
}

/// The path of the metadata document for an issuer whose path is `issuer_path` (RFC 8414 §3.1).
///
/// ```
/// use carnet_oauth::metadata::well_known_path;
///
/// assert_eq!(well_known_path("/"), "/.well-known/oauth-authorization-server");
/// assert_eq!(well_known_path("/tenant/"), "/.well-known/oauth-authorization-server/tenant");
/// ```
pub fn well_known_path(issuer_path: &str) -> String {
    format!(
        "/.well-known/oauth-authorization-server{}",
        issuer_path.trim_end_matches('/')
    )
}
