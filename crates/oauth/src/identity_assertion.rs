//! Who asks, as a gateway tells the services behind it: signed, for one of them, for a minute.
//!
//! Spec: RFC 7519 §4.1 · RFC 8725 §3.8, §3.9, §3.11 (explicit typing) · RFC 9493 §3.2.3 (iss_sub), §4.1 (sub_id) · RFC 7517 §5

use carnet_jose::Algorithm;
use serde_json::{Value, json};

/// The header that carries it.
pub const HEADER: &str = "x-identity-assertion";

/// Its `typ` (RFC 8725 §3.11): it is taken for no access token, and no access token for it.
pub const TYPE: &str = "identity+jwt";

/// The `typ` of one about a service that calls in its own name: whoever knows users alone takes it for nothing. `sub` is the service's name in tokens
/// (the `iss` and `sub` of its own, or its SPIFFE ID), `client_id` the name that routes know it by.
pub const SERVICE_TYPE: &str = "service-identity+jwt";

/// Where a gateway publishes the keys that it signs with, behind its issuer.
pub const JWKS_PATH: &str = "/.well-known/identity-assertion-jwks.json";

/// What a gateway signs with.
pub const ALGORITHMS: &[Algorithm] = &[Algorithm::Es256];

/// The longest life of an assertion, in seconds.
pub const LONGEST_SECONDS: u64 = 60;

/// The claims that an assertion has of its own: none of them is taken from the caller's token.
pub const OWN: &[&str] = &["iss", "aud", "iat", "exp", "nbf", "jti", "cnf", "sub_id"];

/// `sub_id`: the user, and who has named them so, since `iss` is the gateway.
///
/// ```
/// use carnet_oauth::identity_assertion::{named, subject};
///
/// let subject = subject("https://auth.example.com", "user_123");
/// assert_eq!(named(&subject), Some(("https://auth.example.com", "user_123")));
/// ```
pub fn subject(issuer: &str, sub: &str) -> Value {
    json!({ "format": "iss_sub", "iss": issuer, "sub": sub })
}

/// The issuer and the user that a [`subject`] names; `None` for every other form of `sub_id`.
pub fn named(sub_id: &Value) -> Option<(&str, &str)> {
    let member = |name| sub_id.get(name).and_then(Value::as_str);
    let named = member("iss").zip(member("sub"));
    named.filter(|_| member("format") == Some("iss_sub"))
}
