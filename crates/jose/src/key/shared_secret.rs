//! What a shared secret must be.
//!
//! Spec: RFC 7518 §3.2 (length) · RFC 8725 §2.2, §3.5

use crate::algorithm::Algorithm;
use crate::error::Error;

/// At least as long as the hash, and no key file by mistake: a public key as secret is the oldest forgery there is.
pub(super) fn check_secret(secret: &[u8], algorithm: Algorithm) -> Result<(), Error> {
    if !algorithm.is_mac() {
        return Err(Error::KeyMismatch);
    }
    if is_key_der(secret) || is_key_text(secret) {
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

/// A key in DER, or a certificate: a SEQUENCE that is all there is, and begins with another one or with a number. Shorter than any key is what
/// only chance has made look so.
fn is_key_der(bytes: &[u8]) -> bool {
    let content = match bytes {
        [0x30, 0x82, high, low, content @ ..]
            if content.len() == usize::from(u16::from_be_bytes([*high, *low])) =>
        {
            content
        }
        [0x30, 0x81, length, content @ ..] if content.len() == usize::from(*length) => content,
        [0x30, length @ ..=0x7f, content @ ..] if content.len() == usize::from(*length) => content,
        _ => return false,
    };
    bytes.len() >= SHORTEST_KEY && matches!(content.first(), Some(0x30 | 0x02))
}

/// SEC1 for P-256, without its curve.
const SHORTEST_KEY: usize = 39;

/// A key in text, whatever stands in front of it: PEM, an OpenSSH or SSH2 file, JSON, or the bare body of a PEM file.
fn is_key_text(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let text = text.trim_start_matches('\u{feff}').trim();
    let bare = text.trim_matches(['"', '\'']).trim();
    text.contains("-- BEGIN")
        || text.contains("--BEGIN")
        || bare.lines().any(is_openssh_line)
        || is_json(bare)
        || is_encoded_der(bare)
}

/// `ssh-ed25519 AAAA…`, `ecdsa-sha2-nistp256 AAAA…`, perhaps with options in front.
fn is_openssh_line(line: &str) -> bool {
    let mut words = line.split_whitespace();
    words.any(|word| {
        ["ssh-", "ecdsa-sha2-", "sk-"]
            .iter()
            .any(|kind| word.starts_with(kind))
    }) && words.next().is_some_and(|body| body.starts_with("AAAA"))
}

/// A JWK or a JWKS; and nobody's secret is JSON.
fn is_json(text: &str) -> bool {
    text.starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// The body of a PEM file, or DER in base64url.
fn is_encoded_der(text: &str) -> bool {
    let standard = text.replace('-', "+").replace('_', "/");
    base64_simd::forgiving_decode_to_vec(standard.as_bytes()).is_ok_and(|der| is_key_der(&der))
}
