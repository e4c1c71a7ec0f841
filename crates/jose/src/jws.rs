//! JWS in its compact form: three segments, read strictly and in one way.
//!
//! Spec: RFC 7515 §3.1, §4.1, §7.1

use serde::Deserialize;
use serde_json::Value;

use crate::base64url;
use crate::error::Error;
use crate::json::{MAX_DEPTH, check_object};

/// The longest token that is read, in bytes of its compact form (RFC 7515 §7.1). Our own limit: no spec sets one.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// The longest header segment, in bytes as it stands in the token, before decoding (RFC 7515 §7.1). Our own limit.
pub const MAX_HEADER_BYTES: usize = 8 * 1024;

/// The three segments of a token, undecoded.
pub(crate) struct Segments<'t> {
    pub(crate) header: &'t str,
    pub(crate) payload: &'t str,
    pub(crate) signature: &'t str,
    /// Header, dot and payload: what is signed.
    pub(crate) signed: &'t str,
}

impl<'t> Segments<'t> {
    /// Finds exactly two dots; nothing is decoded before the size is known to be harmless.
    pub(crate) fn split(token: &'t str) -> Result<Self, Error> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Error::TokenTooLarge);
        }
        let mut dots = memchr::memchr_iter(b'.', token.as_bytes());
        let (first, second) = dots.next().zip(dots.next()).ok_or(Error::Malformed)?;
        match dots.count() {
            0 => {}
            2 => return Err(Error::EncryptedToken),
            _ => return Err(Error::Malformed),
        }
        if first > MAX_HEADER_BYTES {
            return Err(Error::TokenTooLarge);
        }
        let part = |range: std::ops::Range<usize>| token.get(range).ok_or(Error::Malformed);
        Ok(Self {
            header: part(0..first)?,
            payload: part(first + 1..second)?,
            signature: part(second + 1..token.len())?,
            signed: part(0..second)?,
        })
    }
}

/// The members of a header that decide anything. `jwk`, `jku`, `x5u` and `x5c` are not among them: a token does not say who may sign it. Of
/// those that do nothing but prove a key, `jwt::possession` reads `jwk`.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) algorithm: String,
    pub(crate) key_id: Option<String>,
    pub(crate) token_type: Option<String>,
}

/// What RFC 7515 §4.1 registers, present or not. What no rule of ours reads has its type all the same.
#[derive(Deserialize)]
struct Members {
    alg: String,
    #[serde(default, deserialize_with = "present")]
    kid: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    typ: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    b64: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    cty: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    jku: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    jwk: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    x5u: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    x5c: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    x5t: Option<Value>,
    #[serde(rename = "x5t#S256", default, deserialize_with = "present")]
    x5t_s256: Option<Value>,
}

impl Members {
    /// Whether the members that are not used are text, a list of texts (§4.1.6) and an object (§4.1.3).
    fn unused_have_their_types(&self) -> bool {
        let texts = [&self.cty, &self.jku, &self.x5u, &self.x5t, &self.x5t_s256];
        let is_chain = |value: &Value| {
            value
                .as_array()
                .is_some_and(|list| list.iter().all(Value::is_string))
        };
        texts
            .iter()
            .all(|value| value.as_ref().is_none_or(Value::is_string))
            && self.x5c.as_ref().is_none_or(is_chain)
            && self.jwk.as_ref().is_none_or(Value::is_object)
    }
}

impl Header {
    pub(crate) fn decode(segment: &str, buffer: &mut Vec<u8>) -> Result<Self, Error> {
        base64url::decode_into(segment, buffer)?;
        check_object(buffer, MAX_DEPTH).map_err(|error| match error {
            Error::DuplicateMember => error,
            _ => Error::HeaderInvalid,
        })?;
        let members: Members = serde_json::from_slice(buffer).map_err(|_| Error::HeaderInvalid)?;
        // §4.1.11: no extension is understood here; `b64` (RFC 7797) is one, with or without `crit`.
        if members.crit.is_some() || members.b64.is_some() {
            return Err(Error::CriticalHeader);
        }
        if !members.unused_have_their_types() {
            return Err(Error::HeaderInvalid);
        }
        let text = |value: Option<Value>| match value {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Error::HeaderInvalid),
        };
        Ok(Self {
            algorithm: members.alg,
            key_id: text(members.kid)?,
            token_type: text(members.typ)?,
        })
    }
}

/// Tells `null` from absent: a member of the wrong type is wrong, not missing.
pub(crate) fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
