//! SPIFFE: how workloads are named, what a JWT-SVID says, and which keys of a bundle sign them.
//!
//! Spec: SPIFFE-ID §2 · JWT-SVID §2, §3, §6.2 · SPIFFE Trust Domain and Bundle §4

use carnet_jose::{Algorithm, Error, KeySet};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::access_token::Audience;

/// What every SPIFFE ID begins with.
pub const SCHEME: &str = "spiffe://";

/// The algorithms of JWT-SVIDs (JWT-SVID §2.1).
pub const ALGORITHMS: &[Algorithm] = &[
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
];

/// The trust domain of a workload, when this is the SPIFFE ID of one (SPIFFE-ID §2): it has a path.
///
/// ```
/// use carnet_oauth::spiffe::trust_domain_of;
///
/// assert_eq!(trust_domain_of("spiffe://example.org/ns/prod/sa/orders"), Some("example.org"));
/// assert_eq!(trust_domain_of("spiffe://example.org"), None);
/// ```
pub fn trust_domain_of(id: &str) -> Option<&str> {
    let rest = id.strip_prefix(SCHEME).filter(|_| id.len() <= LONGEST_ID)?;
    let (domain, path) = rest.split_once('/')?;
    let named = is_trust_domain(domain) && path.split('/').all(is_segment);
    named.then_some(domain)
}

/// Whether this can be the name of a trust domain (SPIFFE-ID §2.1): 1 to 255 small letters, digits, `.`, `-` and `_`.
pub fn is_trust_domain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    (1..=255).contains(&name.len()) && name.bytes().all(plain)
}

/// SPIFFE-ID §2.2: nothing that would be read in another way, and no escapes.
fn is_segment(segment: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(plain)
}

/// What a JWT-SVID says (JWT-SVID §3). Other claims are nobody's business, `iss` among them: the trust domain is that of `sub`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SvidClaims {
    /// The SPIFFE ID of the workload.
    pub sub: String,
    /// Whom it calls.
    pub aud: Audience,
    /// Its own name, when it has one (§7.1).
    #[serde(default)]
    pub jti: Option<String>,
    /// A key that would have to be proven (RFC 7800 §3.1). Nobody here knows how: such a token is refused.
    #[serde(default)]
    pub cnf: Option<Value>,
}

impl SvidClaims {
    /// What is wrong with it as one of a workload of this trust domain, whoever signed it: for the log.
    pub fn flaw(&self, trust_domain: &str) -> Option<&'static str> {
        if trust_domain_of(&self.sub) != Some(trust_domain) {
            Some("subject_of_another_trust_domain")
        } else if !self.aud.is_alone() {
            // §7.2: each of several could call the others with it.
            Some("audience_not_alone")
        } else if self.cnf.is_some() {
            Some("confirmation_unknown")
        } else {
            None
        }
    }
}

/// The part of a bundle that JWT-SVIDs are checked with.
#[derive(Debug)]
pub struct Bundle {
    /// The keys of the use `jwt-svid`, as far as these algorithms can use them; none when the trust domain has no JWT-SVIDs.
    pub keys: KeySet,
    /// After how many seconds to look for another one, when it says so.
    pub refresh_hint: Option<u64>,
}

impl Bundle {
    /// Reads the document that SPIRE writes: a JWKS with keys of several uses. Those of any use but `jwt-svid` are passed over (Trust Domain
    /// and Bundle §4.2.2), and those without the `kid` that each must have (JWT-SVID §6.1).
    ///
    /// `spiffe_sequence` is not held against the last one: it says which of two is newer, and a trust domain that came back from a backup
    /// counts from there.
    ///
    /// # Errors
    ///
    /// As [`KeySet::from_jwks_json`].
    pub fn read(document: &[u8], algorithms: &[Algorithm]) -> Result<Self, Error> {
        // As a whole first: no member twice, no private key, not too large.
        KeySet::from_jwks_json(document, &[])?;
        let read: Document = serde_json::from_slice(document).map_err(|_| Error::KeyInvalid)?;
        let ours = read.keys.into_iter().filter(|key| {
            let is = |name: &str| key.get(name).and_then(Value::as_str);
            is("use") == Some(USE) && is("kid").is_some_and(|kid| !kid.is_empty())
        });
        let ours = ours.map(|mut key| {
            key.remove("use");
            key
        });
        let keys = json!({ "keys": ours.collect::<Vec<_>>() }).to_string();
        Ok(Self {
            keys: KeySet::from_jwks_json(keys.as_bytes(), algorithms)?.set,
            refresh_hint: read.spiffe_refresh_hint,
        })
    }
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Map<String, Value>>,
    #[serde(default)]
    spiffe_refresh_hint: Option<u64>,
}

/// The `use` of keys that sign JWT-SVIDs (JWT-SVID §6.1).
const USE: &str = "jwt-svid";
/// SPIFFE-ID §2.3: what everybody has to support, and nobody to go beyond.
const LONGEST_ID: usize = 2_048;

#[cfg(test)]
mod tests {
    use carnet_jose::AnySigningKey;

    use super::*;

    #[test]
    fn a_workload_has_a_trust_domain_and_a_path_that_mean_one_thing() {
        for id in ["spiffe://example.org/orders", "spiffe://a-b_c.1/ns/Prod/sa/x.y"] {
            assert!(trust_domain_of(id).is_some(), "{id}");
        }
        let long = format!("spiffe://a/{}", "x".repeat(2_048));
        for id in [
            "",
            "example.org/orders",
            "spiffe://",
            "spiffe:///orders",
            "spiffe://example.org",
            "spiffe://example.org/",
            "spiffe://example.org/orders/",
            "spiffe://example.org//orders",
            "spiffe://example.org/./orders",
            "spiffe://example.org/x/../orders",
            "spiffe://example.org/or%64ers",
            "spiffe://example.org/orders?x",
            "spiffe://example.org/orders#x",
            "spiffe://example.org:8443/orders",
            "spiffe://admin@example.org/orders",
            "spiffe://Example.org/orders",
            "SPIFFE://example.org/orders",
            "https://example.org/orders",
            &long,
        ] {
            assert_eq!(trust_domain_of(id), None, "{id}");
        }
    }

    fn jwk(kid: &str, its_use: &str) -> Value {
        let key = AnySigningKey::generate(Algorithm::Es256).unwrap().verifying_key();
        let mut jwk = serde_json::to_value(key.to_jwk().unwrap().with_kid(kid)).unwrap();
        jwk["use"] = json!(its_use);
        jwk.as_object_mut().unwrap().remove("alg");
        jwk
    }

    #[test]
    fn of_a_bundle_the_keys_of_jwt_svids_count_alone() {
        let mut nameless = jwk("x", "jwt-svid");
        nameless.as_object_mut().unwrap().remove("kid");
        let mut useless = jwk("none", "x");
        useless.as_object_mut().unwrap().remove("use");
        let keys = [
            jwk("a", "jwt-svid"),
            jwk("b", "x509-svid"),
            jwk("c", "sig"),
            jwk("d", "JWT-SVID"),
            json!({ "kty": "new", "use": "jwt-svid", "kid": "e" }),
            nameless,
            useless,
        ];
        let document = json!({ "keys": keys, "spiffe_sequence": 7, "spiffe_refresh_hint": 300 }).to_string();
        let bundle = Bundle::read(document.as_bytes(), ALGORITHMS).unwrap();
        assert_eq!(bundle.keys.kids().collect::<Vec<_>>(), ["a"]);
        assert_eq!(bundle.refresh_hint, Some(300));
        let none = Bundle::read(br#"{"keys":[]}"#, ALGORITHMS).unwrap();
        assert!(none.keys.is_empty() && none.refresh_hint.is_none());
        for wrong in [
            "",
            "{}",
            "[]",
            r#"{"keys":[],"keys":[]}"#,
            r#"{"keys":[],"spiffe_refresh_hint":-1}"#,
        ] {
            assert!(Bundle::read(wrong.as_bytes(), ALGORITHMS).is_err(), "{wrong}");
        }
    }
}
