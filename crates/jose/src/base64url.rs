//! Base64url without padding, one spelling for each value.
//!
//! Spec: RFC 4648 §5, §3.5 (canonical) · RFC 7515 §2

use data_encoding::BASE64URL_NOPAD;

use crate::error::Error;

/// Encodes.
pub fn encode(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

/// Decodes; padding, other characters and trailing bits are refused.
///
/// ```
/// use carnet_jose::base64url::{decode, encode};
///
/// assert_eq!(decode(&encode(b"carnet")).unwrap(), b"carnet");
/// assert!(decode("AB==").is_err());
/// assert!(decode("AB").is_err(), "the last bits are not zero: another spelling of the same byte");
/// ```
pub fn decode(text: &str) -> Result<Vec<u8>, Error> {
    BASE64URL_NOPAD
        .decode(text.as_bytes())
        .map_err(|_| Error::Base64Invalid)
}

/// Decodes into a buffer that the caller keeps.
pub(crate) fn decode_into(text: &str, buffer: &mut Vec<u8>) -> Result<(), Error> {
    let length = BASE64URL_NOPAD
        .decode_len(text.len())
        .map_err(|_| Error::Base64Invalid)?;
    buffer.clear();
    buffer.resize(length, 0);
    let written = BASE64URL_NOPAD
        .decode_mut(text.as_bytes(), buffer)
        .map_err(|_| Error::Base64Invalid)?;
    buffer.truncate(written);
    Ok(())
}

/// Decodes a signature onto the stack; `None` when it is longer than the array.
pub(crate) fn decode_signature<'a>(text: &str, array: &'a mut [u8]) -> Result<&'a [u8], Error> {
    let length = BASE64URL_NOPAD
        .decode_len(text.len())
        .map_err(|_| Error::Base64Invalid)?;
    let target = array.get_mut(..length).ok_or(Error::SignatureInvalid)?;
    let written = BASE64URL_NOPAD
        .decode_mut(text.as_bytes(), target)
        .map_err(|_| Error::Base64Invalid)?;
    target.get(..written).ok_or(Error::Base64Invalid)
}

/// Encodes behind what the text already holds.
pub(crate) fn encode_onto(bytes: &[u8], text: &mut String) {
    BASE64URL_NOPAD.encode_append(bytes, text);
}
