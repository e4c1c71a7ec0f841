//! Services that call each other: the token that one signs for another, and the bundle in which an authorization server says whose keys count.
//!
//! Spec: RFC 7519 §4.1 · RFC 7523 §3 (iss and sub are the service) · RFC 8725 §3.8, §3.9, §3.11 (explicit typing) · RFC 7517 §5 · RFC 9449 §4.2 (htm, htu)

use carnet_jose::Algorithm;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access_token::Audience;
use crate::dpop::{self, ProofError, Request};

/// The `typ` of a service's token (RFC 8725 §3.11): nothing else that is signed with the same key, or for the same service, has it.
pub const TYPE: &str = "svc+jwt";

/// The `typ` of a bundle (RFC 8725 §3.11).
pub const BUNDLE_TYPE: &str = "services+jwt";

/// Where the bundle is, behind the issuer. Metadata does not name it: RFC 8414 and OpenID Connect Discovery have no member for it.
pub const BUNDLE_PATH: &str = "/services/bundle";

/// The algorithms that services sign with.
pub const ALGORITHMS: &[Algorithm] = &[Algorithm::Es256, Algorithm::Ed25519];

/// The longest life of a service's token, in seconds.
pub const LONGEST_SECONDS: u64 = 300;

/// How many keys a service may have at a time.
pub const MOST_KEYS: usize = 8;

/// The most bytes of a bundle, all of its parts together: some 30,000 services. A server makes none that is larger, and nobody reads one.
pub const MOST_BUNDLE_BYTES: usize = 16 * 1024 * 1024;
/// How many others a service may be said to call. With this, [`MOST_KEYS`] and [`is_name`] every service fits into a token of its own.
pub const MOST_CALLS: usize = 100;

/// Whether this can be the name of a service: 1 to 64 letters, digits, `-`, `.` and `_`, and none that a URL would swallow.
pub fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (1..=64).contains(&name.len()) && name.bytes().all(plain) && name != "." && name != ".."
}

/// How a service is named in tokens: a URL of its authorization server, which no user's `sub` can be.
///
/// ```
/// assert_eq!(carnet_oauth::service_token::id("https://auth.example.com", "orders"), "https://auth.example.com/services/orders");
/// ```
pub fn id(issuer: &str, name: &str) -> String {
    format!("{}/services/{name}", issuer.trim_end_matches('/'))
}

/// What a service says of itself to one other.
///
/// ```
/// use carnet_oauth::access_token::Audience;
/// use carnet_oauth::service_token::ServiceTokenClaims;
///
/// let claims = ServiceTokenClaims {
///     iss: "https://auth.example.com/services/orders".to_owned(),
///     sub: "https://auth.example.com/services/orders".to_owned(),
///     aud: Audience::One("https://auth.example.com/services/billing".to_owned()),
///     iat: 1_471_566_154,
///     exp: 1_471_566_214,
///     jti: "bWJq".to_owned(),
///     htm: None,
///     htu: None,
///     cnf: None,
/// };
/// assert_eq!(claims.flaw(), None);
/// assert!(ServiceTokenClaims { exp: claims.iat + 301, ..claims }.flaw().is_some());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceTokenClaims {
    /// The service, as [`id`] names it.
    pub iss: String,
    /// The service once more.
    pub sub: String,
    /// The one service that it calls.
    pub aud: Audience,
    /// Seconds since the epoch at which it was made.
    pub iat: u64,
    /// Seconds since the epoch after which it is refused.
    pub exp: u64,
    /// Its own name.
    pub jti: String,
    /// The method of the one request that it is for, as in a DPoP proof; said together with `htu` or not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub htm: Option<String>,
    /// The URL of the one request that it is for, without query and fragment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub htu: Option<String>,
    /// A key that would have to be proven (RFC 7800 §3.1). Nobody here knows how: such a token is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Value>,
}

impl ServiceTokenClaims {
    /// What is wrong with it, whoever signed it and whenever it is: for the log.
    pub fn flaw(&self) -> Option<&'static str> {
        let life = self.exp.checked_sub(self.iat);
        if self.sub != self.iss {
            Some("subject_is_not_the_issuer")
        } else if !self.aud.is_alone() {
            Some("audience_not_alone")
        } else if !life.is_some_and(|life| (1..=LONGEST_SECONDS).contains(&life)) {
            Some("life_too_long")
        } else if !(1..=128).contains(&self.jti.len()) {
            Some("jti_invalid")
        } else if self.cnf.is_some() {
            Some("confirmation_unknown")
        } else {
            None
        }
    }

    /// Whether it is for one request alone.
    pub fn names_a_request(&self) -> bool {
        self.htm.is_some() || self.htu.is_some()
    }

    /// Whether it may come with this request: with the one that it names, with any when it names none.
    ///
    /// # Errors
    ///
    /// As [`dpop::names`].
    pub fn goes_with(&self, request: &Request<'_>) -> Result<(), ProofError> {
        match self.names_a_request() {
            true => dpop::names(self.htm.as_deref(), self.htu.as_deref(), request),
            false => Ok(()),
        }
    }
}

/// Whose keys count, and who may call whom. What does not fit into one token is told in several, of one `sequence` and one `iat`.
///
/// ```
/// use carnet_oauth::service_token::{BundledService, ServiceBundle};
///
/// let bundle = ServiceBundle {
///     iss: "https://auth.example.com".to_owned(),
///     iat: 1_471_566_154,
///     exp: 1_471_609_354,
///     sequence: 42,
///     refresh_hint: 60,
///     part: 1,
///     parts: 1,
///     services: vec![BundledService {
///         iss: "https://auth.example.com/services/orders".to_owned(),
///         name: "orders".to_owned(),
///         keys: vec![serde_json::json!({ "kty": "OKP" })],
///         calls: vec!["billing".to_owned()],
///     }],
/// };
/// let json = serde_json::to_value(&bundle).unwrap();
/// assert_eq!(json["services"][0]["calls"], serde_json::json!(["billing"]));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceBundle {
    /// The authorization server, byte for byte as in its metadata.
    pub iss: String,
    /// Seconds since the epoch at which it was signed.
    pub iat: u64,
    /// Seconds since the epoch after which it is used no more, even when no newer one can be had.
    pub exp: u64,
    /// Grows with every change. One with a smaller number is older.
    pub sequence: i64,
    /// After how many seconds to look for a newer one.
    pub refresh_hint: u64,
    /// Which part of it this is, from 1.
    pub part: usize,
    /// How many parts there are.
    pub parts: usize,
    /// Services that may be believed.
    pub services: Vec<BundledService>,
}

/// One service of a bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BundledService {
    /// How it is named in tokens.
    pub iss: String,
    /// How it is named at the authorization server: its `client_id`.
    pub name: String,
    /// Its public keys, each a JWK with a `kid` (RFC 7517 §4).
    pub keys: Vec<Value>,
    /// The names of the services that it may call. Empty: the bundle says nothing about it, and each service decides by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> ServiceTokenClaims {
        ServiceTokenClaims {
            iss: "https://a.test/services/orders".to_owned(),
            sub: "https://a.test/services/orders".to_owned(),
            aud: Audience::One("https://a.test/services/billing".to_owned()),
            iat: 1_000,
            exp: 1_300,
            jti: "x".to_owned(),
            htm: None,
            htu: None,
            cnf: None,
        }
    }

    #[test]
    fn who_names_a_request_names_all_of_it_and_goes_with_no_other() {
        let named = |htm: Option<&str>, htu: Option<&str>| {
            let (htm, htu) = (htm.map(str::to_owned), htu.map(str::to_owned));
            let named = ServiceTokenClaims { htm, htu, ..claims() };
            let (method, uri) = ("POST", "https://b.test/close?day=1");
            let access_token = None;
            named.goes_with(&Request {
                method,
                uri,
                access_token,
            })
        };
        let (method, url) = (Some("POST"), Some("https://b.test/close"));
        assert_eq!(named(None, None), Ok(()));
        assert_eq!(named(method, url), Ok(()));
        assert_eq!(named(method, None), Err(ProofError::UriMismatch));
        assert_eq!(named(None, url), Err(ProofError::MethodMismatch));
        assert_eq!(named(Some("post"), url), Err(ProofError::MethodMismatch));
        assert_eq!(
            named(method, Some("https://b.test/")),
            Err(ProofError::UriMismatch)
        );
        assert_eq!(named(method, Some("/close")), Err(ProofError::UriMismatch));
    }

    #[test]
    fn a_service_speaks_for_itself_to_one_other_and_not_for_long() {
        let billing = "https://a.test/services/billing".to_owned();
        assert_eq!(claims().flaw(), None);
        let array_of_one = Audience::Several(vec![billing.clone()]);
        let fine = ServiceTokenClaims {
            aud: array_of_one,
            ..claims()
        };
        assert_eq!(fine.flaw(), None);
        let wrong: [fn(&mut ServiceTokenClaims); 7] = [
            |claims| claims.sub = "alice".to_owned(),
            |claims| claims.aud = Audience::Several(vec!["a".to_owned(), "b".to_owned()]),
            |claims| claims.exp = 1_301,
            |claims| claims.exp = 1_000,
            |claims| claims.exp = 999,
            |claims| claims.jti.clear(),
            |claims| claims.cnf = Some(serde_json::json!({ "jkt": "x" })),
        ];
        for change in wrong {
            let mut claims = claims();
            change(&mut claims);
            assert!(claims.flaw().is_some(), "{claims:?}");
        }
    }

    #[test]
    fn names_are_such_as_a_url_leaves_alone() {
        for name in ["orders", "orders-2", "a.b_c", "7"] {
            assert!(is_name(name), "{name}");
        }
        let long = "x".repeat(65);
        for name in ["", ".", "..", "a/b", "a b", "a%2f", "a?b", "a#b", "ü", &long] {
            assert!(!is_name(name), "{name}");
        }
        assert_eq!(id("https://a.test/", "orders"), "https://a.test/services/orders");
    }
}
