//! What a shared secret must be.
//!
//! Spec: RFC 7518 §3.2 (length) · RFC 8725 §3.5

use crate::algorithm::Algorithm;
use crate::error::Error;

/// At least as long as the hash, and no key file by mistake: a public key as secret is the oldest forgery there is.
pub(super) fn check_secret(secret: &[u8], algorithm: Algorithm) -> Result<(), Error> {
    if !algorithm.is_mac() {
        return Err(Error::KeyMismatch);
    }
    if looks_like_key(secret) {
        return Err(Error::KeyLooksPublic);
    }
    if algorithm
        .signature_len()
        .is_none_or(|length| secret.len() < length)
    {
        return Err(Error::KeyTooShort);
    }
    Ok(())
}

/// PEM, an OpenSSH line, a JWK or JWKS, or a public key in DER.
fn looks_like_key(secret: &[u8]) -> bool {
    let start = secret.trim_ascii_start();
    start.starts_with(b"-----BEGIN")
        || start.starts_with(b"ssh-")
        || (start.starts_with(b"{") && secret.windows(5).any(|w| w == b"\"kty\""))
        || spki::SubjectPublicKeyInfoRef::try_from(secret).is_ok()
        || pkcs1::RsaPublicKeyRef::try_from(secret).is_ok()
}
