//! Who asks, in headers that a service reads: claims of the token, one header each.
//!
//! Spec: RFC 9110 §5.5 (field values) · RFC 3986 §2.1 (percent-encoding)

use carnet_guard::Auth;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use crate::refusal::Refusal;

/// One claim and the header that carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimHeader {
    /// The header.
    pub name: HeaderName,
    /// The claim; inside objects by dots: `address.country`.
    pub claim: String,
    /// What stands between the elements of an array.
    pub join: String,
    /// What is said when the token has no such claim; nothing when absent.
    pub default: Option<HeaderValue>,
    /// How values are written that do not fit into a header.
    pub encode: Encode,
}

/// How a value becomes text that fits into a header and cannot be taken for two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encode {
    /// Control characters, what is no ASCII, `%`, and inside an element of an array what joins them: as `%XX`. All else as it is.
    #[default]
    Percent,
    /// The whole value as base64url without padding; arrays and objects as JSON.
    Base64,
    /// As it is. A value that does not fit refuses the request.
    None,
}

/// Says who asks. Whatever was there before must be gone.
///
/// # Errors
/// 403 when a claim does not fit into its header.
pub fn write(headers: &mut HeaderMap, auth: &Auth, mapping: &[ClaimHeader]) -> Result<(), Refusal> {
    for header in mapping {
        let value = match find(auth, &header.claim) {
            Some(claim) => text(claim, header)?,
            None => None,
        };
        match value.or_else(|| header.default.clone()) {
            Some(value) => drop(headers.insert(header.name.clone(), value)),
            None => drop(headers.remove(&header.name)),
        }
    }
    Ok(())
}

/// A claim by its whole name first: names of claims are often URLs, with dots of their own.
fn find(auth: &Auth, path: &str) -> Option<Value> {
    if let Some(claim) = auth.claim(path) {
        return Some(claim);
    }
    let (first, deeper) = path.split_once('.')?;
    let first = auth.claim(first)?;
    deeper
        .split('.')
        .try_fold(first, |mut value, step| value.get_mut(step).map(Value::take))
}

fn text(claim: Value, header: &ClaimHeader) -> Result<Option<HeaderValue>, Refusal> {
    let text = match (claim, header.encode) {
        (Value::Null, _) => return Ok(None),
        (Value::Array(elements), _) if elements.is_empty() => return Ok(None),
        (claim @ (Value::Array(_) | Value::Object(_)), Encode::Base64) => base64(&claim.to_string()),
        (Value::Array(elements), encode) => {
            let mut text = String::new();
            for (at, element) in elements.into_iter().enumerate() {
                if at > 0 {
                    text.push_str(&header.join);
                }
                text.push_str(&word(element, encode, &header.join)?);
            }
            text
        }
        (value, encode) => word(value, encode, "")?,
    };
    // As good as none: whoever reads an empty name would take it for one.
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > MOST_BYTES {
        return Err(TOO_LONG);
    }
    HeaderValue::try_from(text).map(Some).map_err(|_| UNFIT)
}

fn word(value: Value, encode: Encode, join: &str) -> Result<String, Refusal> {
    let text = match value {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return Err(UNFIT),
    };
    let joins = |byte: u8| join.as_bytes().contains(&byte);
    let fits = |byte: u8| (byte == b' ' || byte.is_ascii_graphic()) && !joins(byte);
    let padded = text.starts_with(' ') || text.ends_with(' ');
    match encode {
        Encode::Base64 => Ok(base64(&text)),
        Encode::None if padded || !text.bytes().all(fits) => Err(UNFIT),
        Encode::None => Ok(text),
        Encode::Percent if !padded && text.bytes().all(|byte| fits(byte) && byte != b'%') => Ok(text),
        Encode::Percent => {
            let spell = |byte: u8| match byte {
                b'%' | b' ' => format!("%{byte:02X}"),
                byte if fits(byte) => char::from(byte).to_string(),
                byte => format!("%{byte:02X}"),
            };
            Ok(text.bytes().map(spell).collect())
        }
    }
}

fn base64(text: &str) -> String {
    carnet_jose::base64url::encode(text.as_bytes())
}

/// More than this is no header any more; common servers take 8 KiB for all of them.
const MOST_BYTES: usize = 4096;

const UNFIT: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "claim_unfit",
    "a claim of the token cannot be written into the header that it is meant for",
);
const TOO_LONG: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "claim_too_long",
    "a claim of the token is longer than 4 KiB and cannot be passed on in a header",
);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn header(join: &str, encode: Encode) -> ClaimHeader {
        ClaimHeader {
            name: HeaderName::from_static("x-user-roles"),
            claim: "roles".to_owned(),
            join: join.to_owned(),
            default: None,
            encode,
        }
    }

    fn written(claim: Value, encode: Encode) -> Result<Option<String>, &'static str> {
        text(claim, &header(",", encode))
            .map(|value| value.map(|value| value.to_str().unwrap().to_owned()))
            .map_err(|refusal| refusal.code())
    }

    #[test]
    fn a_claim_is_written_so_that_nobody_reads_two() {
        for (claim, said) in [
            (json!("user_123"), Some("user_123")),
            (json!(["editor", "reviewer"]), Some("editor,reviewer")),
            (json!(["a,b", "c"]), Some("a%2Cb,c")),
            (json!("a, b"), Some("a, b")),
            (json!("x\r\nX-Admin: 1"), Some("x%0D%0AX-Admin:%201")),
            (json!("Zoë"), Some("Zo%C3%AB")),
            (json!("100%"), Some("100%25")),
            (json!(" a"), Some("%20a")),
            (json!(42), Some("42")),
            (json!(true), Some("true")),
            (json!(null), None),
            (json!([]), None),
            (json!(""), None),
            (json!([""]), None),
        ] {
            assert_eq!(
                written(claim.clone(), Encode::Percent),
                Ok(said.map(str::to_owned)),
                "{claim}"
            );
        }
        assert_eq!(written(json!({"a": 1}), Encode::Percent), Err("claim_unfit"));
        assert_eq!(written(json!([["a"]]), Encode::Percent), Err("claim_unfit"));
        assert_eq!(
            written(json!("x".repeat(4097)), Encode::Percent),
            Err("claim_too_long")
        );
    }

    #[test]
    fn a_value_that_must_stay_as_it_is_fits_or_refuses() {
        assert_eq!(written(json!("100%"), Encode::None), Ok(Some("100%".to_owned())));
        for claim in [json!("a\nb"), json!("é"), json!(["a,b"]), json!(" a")] {
            assert_eq!(
                written(claim.clone(), Encode::None),
                Err("claim_unfit"),
                "{claim}"
            );
        }
    }

    #[test]
    fn base64_carries_anything() {
        assert_eq!(
            written(json!("a\nb"), Encode::Base64),
            Ok(Some("YQpi".to_owned()))
        );
        assert_eq!(
            written(json!(["a"]), Encode::Base64),
            Ok(Some("WyJhIl0".to_owned()))
        );
    }
}
