//! What a client says of itself when it registers, and what it is told.
//!
//! Spec: RFC 7591 §2, §3.2.1 · OpenID Connect Dynamic Client Registration §2 · RFC 7592 §3 · OpenID Connect Back-Channel Logout §2.2 ·
//! Front-Channel Logout §2 · RP-Initiated Logout §3.1 · RFC 9126 §6 · RFC 9449 §5.2

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::redirect_uri;

/// A struct whose members are all optional, and how it is read from an object of which more is not looked at.
macro_rules! members {
    ($(#[$struct_meta:meta])* pub struct $struct:ident { $( $(#[$meta:meta])* $name:ident: $type:ty, )+ }) => {
        $(#[$struct_meta])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $struct {
            $( $(#[$meta])* #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<$type>, )+
            /// `client_name#de` and the like, by language (RFC 7591 §2.2).
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            pub client_names: BTreeMap<String, String>,
        }

        impl $struct {
            /// Reads what is known here and ignores the rest (RFC 7591 §2). A member that is null is left out (RFC 7592 §2.2).
            ///
            /// # Errors
            /// The name of the first member that is not of its type.
            pub fn read(mut object: Map<String, Value>) -> Result<Self, &'static str> {
                Ok(Self {
                    client_names: localized(&object)?,
                    $( $name: member(&mut object, stringify!($name))?, )+
                })
            }
        }
    };
}

members! {
    /// Client metadata, as it travels. Members of which nothing is known here are not kept.
    ///
    /// ```
    /// use carnet_oauth::client_metadata::ClientMetadata;
    ///
    /// let object = serde_json::json!({ "client_name": "The shop", "client_name#de": "Der Laden", "unheard_of": 1, "scope": null });
    /// let metadata = ClientMetadata::read(object.as_object().unwrap().clone()).unwrap();
    /// assert_eq!(metadata.client_name.as_deref(), Some("The shop"));
    /// assert_eq!(metadata.client_names["de"], "Der Laden");
    /// assert_eq!(metadata.scope, None);
    /// let wrong = serde_json::json!({ "redirect_uris": "https://shop.example.com/cb" });
    /// assert_eq!(ClientMetadata::read(wrong.as_object().unwrap().clone()), Err("redirect_uris"));
    /// ```
    pub struct ClientMetadata {
        /// Where codes may be sent.
        redirect_uris: Vec<String>,
        /// How it proves who it is.
        token_endpoint_auth_method: String,
        /// The one algorithm of its assertions.
        token_endpoint_auth_signing_alg: String,
        /// How it asks for tokens.
        grant_types: Vec<String>,
        /// What it asks the authorization endpoint for.
        response_types: Vec<String>,
        /// The name that people are shown.
        client_name: String,
        /// Its home page.
        client_uri: String,
        /// Its logo.
        logo_uri: String,
        /// The scopes that it may ask for, between spaces.
        scope: String,
        /// E-mail addresses of those who answer for it.
        contacts: Vec<String>,
        /// Its terms of service.
        tos_uri: String,
        /// Its privacy policy.
        policy_uri: String,
        /// Where its public keys are.
        jwks_uri: String,
        /// Its public keys.
        jwks: Value,
        /// The program, whatever its version.
        software_id: String,
        /// The program's version.
        software_version: String,
        /// `web` or `native`.
        application_type: String,
        /// `public`: every client knows a user by the same `sub`.
        subject_type: String,
        /// The algorithm of its ID tokens.
        id_token_signed_response_alg: String,
        /// How old a login may be when a request does not say, in seconds.
        default_max_age: u64,
        /// Whether its ID tokens have `auth_time`.
        require_auth_time: bool,
        /// Where others may send a browser to begin a login.
        initiate_login_uri: String,
        /// Where a browser may be sent after a logout.
        post_logout_redirect_uris: Vec<String>,
        /// Where it is told, server to server, that a session has ended.
        backchannel_logout_uri: String,
        /// Whether it must be told which.
        backchannel_logout_session_required: bool,
        /// What browsers load when a session has ended.
        frontchannel_logout_uri: String,
        /// Whether it must be told which session.
        frontchannel_logout_session_required: bool,
        /// Whether it has to push its requests.
        require_pushed_authorization_requests: bool,
        /// Whether its access tokens are always bound to a key of its own.
        dpop_bound_access_tokens: bool,
    }
}

impl ClientMetadata {
    /// As it travels: each name under a member of its own (RFC 7591 §2.2).
    pub fn into_object(mut self) -> Map<String, Value> {
        let names = std::mem::take(&mut self.client_names);
        let object = serde_json::to_value(&self).unwrap_or_default();
        let mut object = match object {
            Value::Object(object) => object,
            _ => Map::new(),
        };
        for (language, name) in names {
            object.insert(format!("{NAME_IN}{language}"), Value::String(name));
        }
        object
    }
}

/// Members that ask for what a server does not do and must not seem to do: encryption, signatures of what it does not sign, tokens that
/// are bound to a certificate, ways of logging in.
pub const REFUSED_MEMBERS: [&str; 18] = [
    "authorization_encrypted_response_alg",
    "authorization_encrypted_response_enc",
    "authorization_signed_response_alg",
    "default_acr_values",
    "id_token_encrypted_response_alg",
    "id_token_encrypted_response_enc",
    "introspection_encrypted_response_alg",
    "introspection_encrypted_response_enc",
    "introspection_signed_response_alg",
    "request_object_encryption_alg",
    "request_object_encryption_enc",
    "request_object_signing_alg",
    "require_signed_request_object",
    "sector_identifier_uri",
    "tls_client_certificate_bound_access_tokens",
    "userinfo_encrypted_response_alg",
    "userinfo_encrypted_response_enc",
    "userinfo_signed_response_alg",
];

/// What kind of program a client is (OpenID Connect Dynamic Client Registration §2, `application_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplicationType {
    /// Behind a web server, or in the pages of one.
    Web,
    /// Installed on a device.
    Native,
}

impl ApplicationType {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Native => "native",
        }
    }

    /// The type that is named; where none is, a program that has no address on the web is a native one. RFC 7591 knows no types: its
    /// clients do not say.
    pub fn of(named: Option<&str>, redirect_uris: &[String]) -> Option<Self> {
        let on_the_web = |uri: &String| uri.starts_with("https:");
        match named {
            Some("web") => Some(Self::Web),
            Some("native") => Some(Self::Native),
            Some(_) => None,
            None if redirect_uris.is_empty() || redirect_uris.iter().any(on_the_web) => Some(Self::Web),
            None => Some(Self::Native),
        }
    }

    /// Whether a client of this type may be registered with this redirect URI.
    ///
    /// # Errors
    /// A sentence that says what to write.
    pub fn check(self, uri: &str) -> Result<(), &'static str> {
        redirect_uri::check(uri)?;
        match self {
            Self::Web if !uri.starts_with("https:") => Err(
                "write https; loopback addresses and schemes of their own are for application_type native",
            ),
            _ => Ok(()),
        }
    }
}

const NAME_IN: &str = "client_name#";

fn member<T: DeserializeOwned>(
    object: &mut Map<String, Value>,
    name: &'static str,
) -> Result<Option<T>, &'static str> {
    let value = object.remove(name).filter(|value| !value.is_null());
    value.map(serde_json::from_value).transpose().map_err(|_| name)
}

/// RFC 7591 §2.2: the language is a tag of BCP 47.
fn localized(object: &Map<String, Value>) -> Result<BTreeMap<String, String>, &'static str> {
    let is_tag = |tag: &str| {
        !tag.is_empty()
            && tag.len() <= 35
            && tag
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let mut names = BTreeMap::new();
    for (member, value) in object {
        let Some(language) = member.strip_prefix(NAME_IN) else {
            continue;
        };
        match value.as_str() {
            _ if value.is_null() => {}
            Some(name) if is_tag(language) => {
                names.insert(language.to_owned(), name.to_owned());
            }
            _ => return Err("client_name"),
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_travels() {
        let object = serde_json::json!({
            "redirect_uris": ["https://a.example/cb"], "client_name": "A", "client_name#de-CH": "Ä", "default_max_age": 60,
            "dpop_bound_access_tokens": true, "jwks": { "keys": [] },
        });
        let object = object.as_object().unwrap().clone();
        let read = ClientMetadata::read(object.clone()).unwrap();
        assert_eq!(read.into_object(), object);
    }

    #[test]
    fn ru_07_what_a_type_may_have() {
        let (web, native) = (ApplicationType::Web, ApplicationType::Native);
        for uri in [
            "http://127.0.0.1/cb",
            "http://localhost:3000/cb",
            "com.example.app:/cb",
        ] {
            assert!(web.check(uri).is_err(), "{uri}");
            assert_eq!(native.check(uri), Ok(()), "{uri}");
            assert_eq!(ApplicationType::of(None, &[uri.to_owned()]), Some(native));
        }
        for uri in [
            "javascript:alert(1)",
            "http://app.example.com/cb",
            "https://a.example/cb#x",
        ] {
            assert!(web.check(uri).is_err() && native.check(uri).is_err(), "{uri}");
        }
        assert_eq!(
            ApplicationType::of(None, &["https://a.example/cb".to_owned()]),
            Some(web)
        );
        assert_eq!(ApplicationType::of(Some("service"), &[]), None);
    }
}
