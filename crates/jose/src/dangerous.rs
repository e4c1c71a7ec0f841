//! Reading a token without checking it: for tools that explain tokens, and for nothing that decides.
//!
//! Spec: RFC 7515 §7.1

use serde_json::Value;

use crate::base64url;
use crate::error::Error;
use crate::jws::Segments;

/// What a token says, whoever wrote it (RFC 7515 §3.1).
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The header (RFC 7515 §4), any JSON. Of two members of one name the last counts.
    pub header: Value,
    /// The payload (RFC 7519 §4), any JSON. Of two members of one name the last counts.
    pub payload: Value,
    /// How many bytes the signature has, decoded (RFC 7515 §7.1). Nobody has looked at them.
    pub signature_len: usize,
}

/// Takes a token apart (RFC 7515 §7.1) and checks nothing.
///
/// ```
/// let decoded = carnet_jose::dangerous::decode("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.")?;
/// assert_eq!(decoded.header["alg"], "none");
/// assert_eq!(decoded.payload["sub"], "alice");
/// # Ok::<(), carnet_jose::Error>(())
/// ```
///
/// # Errors
///
/// What is no token in compact form: [`Error::TokenTooLarge`], [`Error::Malformed`], [`Error::EncryptedToken`], [`Error::Base64Invalid`];
/// [`Error::JsonInvalid`] when header or payload is no JSON.
pub fn decode(token: &str) -> Result<Decoded, Error> {
    let segments = Segments::split(token)?;
    let json = |segment: &str| {
        let bytes = base64url::decode(segment)?;
        serde_json::from_slice(&bytes).map_err(|_| Error::JsonInvalid)
    };
    Ok(Decoded {
        header: json(segments.header)?,
        payload: json(segments.payload)?,
        signature_len: base64url::decode(segments.signature)?.len(),
    })
}

/// The bytes of the header segment (RFC 7515 §7.1), whatever they are: for a token that [`decode`] cannot read.
///
/// ```
/// use carnet_jose::dangerous::{header_bytes, payload_bytes};
///
/// let token = "bm90IEpTT04.e30.";
/// assert_eq!(header_bytes(token)?, b"not JSON");
/// assert_eq!(payload_bytes(token)?, b"{}");
/// # Ok::<(), carnet_jose::Error>(())
/// ```
///
/// # Errors
///
/// As [`decode`], but for [`Error::JsonInvalid`].
pub fn header_bytes(token: &str) -> Result<Vec<u8>, Error> {
    base64url::decode(Segments::split(token)?.header)
}

/// The bytes of the payload segment (RFC 7515 §7.1), whatever they are. An example stands at [`header_bytes`].
///
/// # Errors
///
/// As [`decode`], but for [`Error::JsonInvalid`].
pub fn payload_bytes(token: &str) -> Result<Vec<u8>, Error> {
    base64url::decode(Segments::split(token)?.payload)
}
