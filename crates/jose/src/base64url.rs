//! Base64url without padding, one spelling for each value.
//!
//! Spec: RFC 4648 §5, §3.5 (canonical) · RFC 7515 §2

use base64_simd::{AsOut as _, URL_SAFE_NO_PAD};

use crate::error::Error;

/// Encodes, without padding (RFC 4648 §5, RFC 7515 §2).
///
/// ```
/// assert_eq!(carnet_jose::base64url::encode(&[3, 236, 255, 224, 193]), "A-z_4ME");
/// ```
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// Decodes (RFC 4648 §5, RFC 7515 §2); padding, other characters and trailing bits (RFC 4648 §3.5) are refused.
///
/// ```
/// use carnet_jose::base64url::{decode, encode};
///
/// assert_eq!(decode(&encode(b"carnet")).unwrap(), b"carnet");
/// assert!(decode("AB==").is_err());
/// assert!(decode("AB").is_err(), "the last bits are not zero: another spelling of the same byte");
/// ```
///
/// # Errors
///
/// [`Error::Base64Invalid`].
pub fn decode(text: &str) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    decode_into(text, &mut bytes)?;
    Ok(bytes)
}

/// Decodes into a buffer that the caller keeps.
pub(crate) fn decode_into(text: &str, buffer: &mut Vec<u8>) -> Result<(), Error> {
    check_last(text)?;
    buffer.clear();
    URL_SAFE_NO_PAD
        .decode_append(text, buffer)
        .map_err(|_| Error::Base64Invalid)
}

/// Decodes a signature onto the stack; refused when it is longer than the array.
pub(crate) fn decode_signature<'a>(text: &str, array: &'a mut [u8]) -> Result<&'a [u8], Error> {
    check_last(text)?;
    if text.len() / 4 * 3 + text.len() % 4 * 3 / 4 > array.len() {
        return Err(Error::SignatureInvalid);
    }
    let decoded = URL_SAFE_NO_PAD.decode(text.as_bytes(), array.as_out());
    decoded.map(|bytes| &*bytes).map_err(|_| Error::Base64Invalid)
}

/// Encodes behind what the text already holds.
pub(crate) fn encode_onto(bytes: &[u8], text: &mut String) {
    URL_SAFE_NO_PAD.encode_append(bytes, text);
}

/// §3.5: the bits of the last character that stand for nothing are zero. One character alone stands for nothing at all.
fn check_last(text: &str) -> Result<(), Error> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let unused = match text.len() % 4 {
        0 => return Ok(()),
        2 => 0b1111,
        3 => 0b11,
        _ => return Err(Error::Base64Invalid),
    };
    let last = text.as_bytes().last();
    let value = ALPHABET.iter().position(|letter| Some(letter) == last);
    match value {
        Some(value) if value & unused == 0 => Ok(()),
        _ => Err(Error::Base64Invalid),
    }
}
