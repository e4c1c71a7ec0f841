//! The name of a key that follows from the key itself.
//!
//! Spec: RFC 7638 §3 · RFC 8037 §2 (OKP) · RFC 9964 §6 (AKP)

use std::collections::BTreeMap;

use zeroize::Zeroizing;

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
        Some("AKP") => &["alg", "kty", "pub"],
        Some("oct") => &["k", "kty"],
        _ => return Err(Error::KeyUnsupported),
    };
    let members = names
        .iter()
        .map(|name| Ok((*name, jwk.text(name).ok_or(Error::KeyInvalid)?)))
        .collect::<Result<BTreeMap<_, _>, Error>>()?;
    let json = serde_json::to_vec(&members).map_err(|_| Error::KeyInvalid)?;
    Ok(base64url::encode(&sha256(&Zeroizing::new(json))))
}
