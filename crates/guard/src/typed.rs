//! The type that a JWT says of itself: what tells which check is the right one. The check itself looks again.
//!
//! Spec: RFC 7515 §4.1.9 (typ) · RFC 8725 §3.11

use carnet_jose::dangerous::Decoded;
use serde_json::Value;

/// Whether it says that it is of this type; `application/` in front says nothing more.
pub(crate) fn is_typed(token: &Decoded, typ: &str) -> bool {
    let said = token.header.get("typ").and_then(Value::as_str);
    let said = said.unwrap_or_default().to_ascii_lowercase();
    said.strip_prefix("application/").unwrap_or(&said) == typ
}
