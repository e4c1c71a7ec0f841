//! Reading a token without checking it: for tools that explain tokens, and for nothing that decides.
//!
//! Spec: RFC 7515 §7.1

use serde_json::Value;

use crate::base64url;
use crate::error::Error;
use crate::jws::Segments;

/// What a token says, whoever wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The header.
    pub header: Value,
    /// The payload.
    pub payload: Value,
    /// How many bytes the signature has. Nobody has looked at them.
    pub signature_len: usize,
}

/// Decodes a token and checks nothing.
///
/// ```
/// let decoded = carnet_jose::dangerous::decode("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.")?;
/// assert_eq!(decoded.header["alg"], "none");
/// assert_eq!(decoded.payload["sub"], "alice");
/// # Ok::<(), carnet_jose::Error>(())
/// ```
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

/// The bytes of the header segment, whatever they are: for a token that [`decode`] cannot read.
///
/// ```
/// use carnet_jose::dangerous::{header_bytes, payload_bytes};
///
/// let token = "bm90IEpTT04.e30.";
/// assert_eq!(header_bytes(token)?, b"not JSON");
/// assert_eq!(payload_bytes(token)?, b"{}");
/// # Ok::<(), carnet_jose::Error>(())
/// ```
pub fn header_bytes(token: &str) -> Result<Vec<u8>, Error> {
    base64url::decode(Segments::split(token)?.header)
}

/// The bytes of the payload segment, whatever they are.
pub fn payload_bytes(token: &str) -> Result<Vec<u8>, Error> {
    base64url::decode(Segments::split(token)?.payload)
}
