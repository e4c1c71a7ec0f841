//! What an authorization server says of itself.
//!
//! Spec: RFC 8414 §2, §3 · RFC 8628 §4 · RFC 9126 §5 · RFC 9701 §7

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

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
    /// RFC 7591: where clients register themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration_endpoint: Option<String>,
    /// RFC 7662.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection_endpoint: Option<String>,
    /// How a resource server proves itself at the introspection endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub introspection_endpoint_auth_methods_supported: Vec<String>,
    /// RFC 9701 §7: the algorithms of signed answers there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub introspection_signing_alg_values_supported: Vec<String>,
    /// RFC 8414 §2 demands this member, though it may be empty.
    #[serde(default)]
    pub response_types_supported: Vec<String>,
    /// RFC 8414 §2: left out would mean `authorization_code` and `implicit`.
    #[serde(default)]
    pub grant_types_supported: Vec<String>,
    /// The scopes that may be asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    /// How answers of the authorization endpoint may travel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response_modes_supported: Vec<String>,
    /// How a client proves itself at the token endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// The algorithms of a client's assertion.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub token_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// RFC 7009.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation_endpoint: Option<String>,
    /// How a client proves itself at the revocation endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revocation_endpoint_auth_methods_supported: Vec<String>,
    /// The algorithms of a client's assertion there; RFC 8414 §2 demands them beside `private_key_jwt`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revocation_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// RFC 9126 §5: where requests are pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_authorization_request_endpoint: Option<String>,
    /// RFC 9126 §5: every client has to push its requests.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_pushed_authorization_requests: bool,
    /// RFC 8628 §4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_authorization_endpoint: Option<String>,
    /// RFC 7636: `S256`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub code_challenge_methods_supported: Vec<String>,
    /// RFC 9449 §5.1: the algorithms of DPoP proofs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dpop_signing_alg_values_supported: Vec<String>,
    /// RFC 9207: every answer of the authorization endpoint names the issuer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub authorization_response_iss_parameter_supported: bool,
    /// The languages of the pages, as BCP 47 writes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ui_locales_supported: Vec<String>,
    /// OpenID Connect Discovery §3: what the pages of people and ID tokens add. Left out where there are none.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub openid: Option<OpenIdMetadata>,
}

impl Metadata {
    /// Where the login at the server itself ends (OpenID Connect RP-Initiated Logout §2.1), when there is such a place.
    pub fn end_session_endpoint(&self) -> Option<&str> {
        self.openid.as_ref()?.end_session_endpoint.as_deref()
    }
}

/// What OpenID Connect Discovery 1.0 §3 adds. Most of it is optional there: of a server's document, what is missing or cannot be read is left out here, and whoever
/// needs it says so.
///
/// ```
/// use carnet_oauth::metadata::Metadata;
///
/// let document = r#"{ "issuer": "https://a.test", "end_session_endpoint": "https://a.test/end", "claims_supported": null }"#;
/// let metadata: Metadata = serde_json::from_str(document).unwrap();
/// assert_eq!(metadata.end_session_endpoint(), Some("https://a.test/end"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenIdMetadata {
    /// OpenID Connect Core §5.3.
    #[serde(
        default,
        deserialize_with = "readable",
        skip_serializing_if = "Option::is_none"
    )]
    pub userinfo_endpoint: Option<String>,
    /// `public`: every client knows a user by the same `sub`.
    #[serde(default, deserialize_with = "readable")]
    pub subject_types_supported: Vec<String>,
    /// The algorithms of ID tokens.
    #[serde(default, deserialize_with = "readable")]
    pub id_token_signing_alg_values_supported: Vec<String>,
    /// The claims that may be told.
    #[serde(default, deserialize_with = "readable")]
    pub claims_supported: Vec<String>,
    /// The ways to log in that `acr` can name.
    #[serde(default, deserialize_with = "readable", skip_serializing_if = "Vec::is_empty")]
    pub acr_values_supported: Vec<String>,
    /// The parameter `claims` is read.
    #[serde(default, deserialize_with = "readable")]
    pub claims_parameter_supported: bool,
    /// The parameter `request` is not read.
    #[serde(default, deserialize_with = "readable")]
    pub request_parameter_supported: bool,
    /// The parameter `request_uri` is not read; without this member it would be.
    #[serde(default = "yes", deserialize_with = "readable")]
    pub request_uri_parameter_supported: bool,
    /// OpenID Connect RP-Initiated Logout §2.1.
    #[serde(
        default,
        deserialize_with = "readable",
        skip_serializing_if = "Option::is_none"
    )]
    pub end_session_endpoint: Option<String>,
    /// OpenID Connect Back-Channel Logout §2.1.
    #[serde(
        default,
        deserialize_with = "readable",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub backchannel_logout_supported: bool,
    /// Logout tokens have a `sid`.
    #[serde(
        default,
        deserialize_with = "readable",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub backchannel_logout_session_supported: bool,
    /// OpenID Connect Front-Channel Logout §3.
    #[serde(
        default,
        deserialize_with = "readable",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub frontchannel_logout_supported: bool,
    /// The addresses of clients are given `iss` and `sid`.
    #[serde(
        default,
        deserialize_with = "readable",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub frontchannel_logout_session_supported: bool,
}

/// What is there, when it is of the type that it should be: one member that is not takes no other away.
fn readable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

fn yes() -> bool {
    true
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_openid_connect_leaves_optional_may_be_missing_or_unreadable() {
        let mut document = json!({ "issuer": "https://a.test", "userinfo_endpoint": "https://a.test/me", "end_session_endpoint": "https://a.test/end" });
        let read = |document: &Value| serde_json::from_value::<Metadata>(document.clone()).unwrap();
        assert_eq!(read(&document).end_session_endpoint(), Some("https://a.test/end"));
        // Discovery §3: without the member it is.
        assert!(read(&document).openid.unwrap().request_uri_parameter_supported);
        for (name, value) in [
            ("claims_parameter_supported", json!("true")),
            ("claims_supported", Value::Null),
            ("acr_values_supported", json!("x")),
        ] {
            document[name] = value;
        }
        let openid = read(&document).openid.unwrap();
        assert_eq!(openid.userinfo_endpoint.as_deref(), Some("https://a.test/me"));
        assert_eq!(
            (openid.claims_parameter_supported, openid.claims_supported),
            (false, vec![])
        );
        document["end_session_endpoint"] = json!(1);
        assert_eq!(read(&document).end_session_endpoint(), None);
    }
}
