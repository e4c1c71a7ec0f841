//! The name of a key that follows from the key itself.
//!
//! Spec: RFC 7638 §3 · RFC 8037 §2 (OKP)

use crate::base64url;
use crate::crypto::primitive::sha256;
use crate::error::Error;
use crate::jwk::Jwk;

/// SHA-256 over the required members in alphabetical order, in base64url.
pub(crate) fn of(jwk: &Jwk) -> Result<String, Error> {
    let names: &[&str] = match jwk.key_type() {
        Some("EC") => &["crv", "kty", "x", "y"],
        Some("RSA") => &["e", "kty", "n"],
        Some("OKP") => &["crv", "kty", "x"],
        Some("oct") => &["k", "kty"],
        _ => return Err(Error::KeyUnsupported),
    };
    let mut json = String::from("{");
    for (position, name) in names.iter().enumerate() {
        let value = serde_json::Value::from(jwk.text(name).ok_or(Error::KeyInvalid)?);
        let comma = if position == 0 { "" } else { "," };
        json.push_str(&format!("{comma}\"{name}\":{value}"));
    }
    json.push('}');
    Ok(base64url::encode(&sha256(json.as_bytes())))
}
