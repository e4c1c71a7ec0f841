//! The claims of an ID token.
//!
//! Spec: OpenID Connect Core 1.0 §2

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::numeric_date;

/// What a client learns about the login itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdTokenClaims {
    /// The issuer, byte for byte as in its metadata.
    pub iss: String,
    /// The user.
    pub sub: String,
    /// The client: an ID token is for nobody else. A list that names the client alone is read as the client.
    #[serde(deserialize_with = "sole_audience")]
    pub aud: String,
    /// Seconds since the epoch after which it is refused.
    #[serde(deserialize_with = "numeric_date::seconds")]
    pub exp: u64,
    /// Seconds since the epoch at which it was made.
    #[serde(deserialize_with = "numeric_date::seconds")]
    pub iat: u64,
    /// When the user proved who they are, in seconds since the epoch.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "numeric_date::seconds_if_any"
    )]
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

/// Who else it is for would have to be trusted (§3.1.3.7), and nobody else is.
fn sole_audience<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Audience {
        One(String),
        List([String; 1]),
    }
    match Audience::deserialize(deserializer) {
        Ok(Audience::One(client) | Audience::List([client])) => Ok(client),
        Err(_) => Err(D::Error::custom("it is for somebody else as well, or for nobody")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::IdTokenClaims;

    #[test]
    fn it_is_for_one_client_in_either_spelling_and_its_times_may_have_fractions() {
        let read = |aud: serde_json::Value| {
            let claims = json!({ "iss": "i", "sub": "s", "aud": aud, "exp": 20.5, "iat": 10.25, "auth_time": 9.0, "name": "A" });
            serde_json::from_value::<IdTokenClaims>(claims)
        };
        for aud in [json!("app"), json!(["app"])] {
            let claims = read(aud).unwrap();
            assert_eq!(
                (claims.aud.as_str(), claims.exp, claims.iat, claims.auth_time),
                ("app", 20, 10, Some(9))
            );
        }
        for aud in [
            json!(["app", "other"]),
            json!([]),
            json!(null),
            json!(7),
            json!([7]),
        ] {
            assert!(read(aud).is_err());
        }
    }
}
