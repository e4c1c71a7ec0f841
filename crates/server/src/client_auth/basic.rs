//! `client_secret_basic`: name and secret in the Authorization header.
//!
//! Spec: RFC 6749 §2.3.1 · RFC 7617 §2

use data_encoding::BASE64;
use http::{HeaderMap, header};
use zeroize::Zeroizing;

use super::refused::refused;
use crate::http::failure::Failure;

/// A name and a secret as the header carries them.
pub(super) struct Credentials {
    pub(super) id: String,
    pub(super) secret: Zeroizing<String>,
}

/// The credentials; `None` without the header or with another scheme, refused when they cannot be read in exactly one way.
pub(super) fn read(headers: &HeaderMap) -> Result<Option<Credentials>, Failure> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(refused().into());
    }
    let Some((scheme, encoded)) = value.to_str().ok().and_then(|text| text.split_once(' ')) else {
        return Ok(None);
    };
    if !scheme.eq_ignore_ascii_case("Basic") {
        return Ok(None);
    }
    parse(encoded).map(Some).ok_or_else(|| refused().into())
}

fn parse(encoded: &str) -> Option<Credentials> {
    let text = Zeroizing::new(String::from_utf8(BASE64.decode(encoded.as_bytes()).ok()?).ok()?);
    let (id, secret) = text.split_once(':')?;
    let (id, secret) = (form_decode(id)?, Zeroizing::new(form_decode(secret)?));
    (!id.is_empty() && !secret.is_empty()).then_some(Credentials { id, secret })
}

/// §2.3.1: both are form-encoded before they are joined.
fn form_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let hex = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(plain: &str) -> Option<(String, String)> {
        parse(&BASE64.encode(plain.as_bytes()))
            .map(|credentials| (credentials.id, credentials.secret.to_string()))
    }

    #[test]
    fn ca_03_names_and_secrets_are_form_encoded() {
        let expected = Some(("api 1".to_owned(), "a:%+ ü".to_owned()));
        assert_eq!(parsed("api+1:a%3A%25%2B+%C3%BC"), expected);
    }

    #[test]
    fn ca_03_sloppy_basic_is_refused() {
        for plain in ["nocolon", ":", "a:", ":b", "a:%zz", "a:%4", "a:%00", "a:\u{0}"] {
            assert_eq!(parsed(plain), None, "{plain:?}");
        }
        assert!(parse("YTpi\n").is_none());
        assert!(parse("YTp i").is_none());
        assert!(parse("_-8=").is_none());
    }
}
