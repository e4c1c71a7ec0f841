//! What a protected resource says of itself.
//!
//! Spec: RFC 9728 §2, §3.1

use serde::{Deserialize, Serialize};

/// The metadata of a protected resource (§2). What is empty is left out.
///
/// ```
/// use carnet_oauth::protected_resource::ProtectedResource;
///
/// let metadata: ProtectedResource = serde_json::from_str(r#"{"resource":"https://api.example.com"}"#)?;
/// assert_eq!(serde_json::to_string(&metadata)?, r#"{"resource":"https://api.example.com"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectedResource {
    /// The resource, by the URL that identifies it.
    pub resource: String,
    /// The issuers of tokens for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorization_servers: Vec<String>,
    /// The scopes that it knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    /// How a token may be sent: `header`, `body`, `query`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bearer_methods_supported: Vec<String>,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_name: Option<String>,
    /// A page for developers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_documentation: Option<String>,
    /// A page about what clients may do with the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_policy_uri: Option<String>,
    /// A page with the terms of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_tos_uri: Option<String>,
    /// Tokens that are bound to a certificate are understood (RFC 8705 §3).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tls_client_certificate_bound_access_tokens: bool,
    /// The algorithms of DPoP proofs (RFC 9449 §5.1).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dpop_signing_alg_values_supported: Vec<String>,
}

/// The path of the metadata of a resource whose path is `resource_path` (§3.1).
///
/// ```
/// use carnet_oauth::protected_resource::well_known_path;
///
/// assert_eq!(well_known_path("/"), "/.well-known/oauth-protected-resource");
/// assert_eq!(well_known_path("/orders"), "/.well-known/oauth-protected-resource/orders");
/// ```
pub fn well_known_path(resource_path: &str) -> String {
    let path = if resource_path == "/" { "" } else { resource_path };
    format!("/.well-known/oauth-protected-resource{path}")
}
