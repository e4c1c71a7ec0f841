//! JSON that every parser reads alike: UTF-8, one object, no member twice, not too deep.
//!
//! Spec: RFC 8259 §4 · RFC 7515 §4 (duplicates) · RFC 8725 §3.7

mod names;
mod strict;

use serde::Deserialize as _;
use serde::de::IgnoredAny;

use crate::error::Error;
pub(crate) use names::Names;
pub(crate) use strict::{Marks, Name, Watch, read_name};

/// The deepest nesting that is read anywhere, in objects and arrays. Our own limit, as RFC 8259 §9 allows.
pub const MAX_DEPTH: usize = 32;

/// Checks that the bytes are one JSON object in UTF-8 (RFC 8259 §4, §8.1, RFC 8725 §3.7) without duplicate members at any depth
/// (RFC 7515 §4, RFC 7519 §4). `max_depth` counts the outermost object, and no further than [`MAX_DEPTH`].
///
/// Names are compared after unescaping (RFC 8259 §8.3): `"sub"` and `"\u0073ub"` are the same member.
///
/// ```
/// use carnet_jose::{Error, json::check_object};
///
/// assert_eq!(check_object(br#"{"sub":"alice"}"#, 32), Ok(()));
/// assert_eq!(check_object(br#"{"sub":"alice","\u0073ub":"bob"}"#, 32), Err(Error::DuplicateMember));
/// assert_eq!(check_object(b"[]", 32), Err(Error::JsonInvalid));
/// ```
///
/// # Errors
///
/// [`Error::DuplicateMember`]; [`Error::JsonInvalid`] for everything else.
pub fn check_object(bytes: &[u8], max_depth: usize) -> Result<(), Error> {
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Error::JsonInvalid);
    }
    let marks = Marks::default();
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let watch = Watch::new(max_depth.min(MAX_DEPTH), &marks);
    let checked = IgnoredAny::deserialize(watch.over(&mut parser));
    match checked.and_then(|_| parser.end()) {
        Ok(()) => Ok(()),
        Err(_) if marks.has_duplicate() => Err(Error::DuplicateMember),
        Err(_) => Err(Error::JsonInvalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_and_bombs_do_no_harm() {
        let nested = |n: usize| [b"{\"a\":".repeat(n), b"1".to_vec(), b"}".repeat(n)].concat();
        assert_eq!(check_object(&nested(32), 32), Ok(()));
        assert_eq!(check_object(&nested(33), 32), Err(Error::JsonInvalid));
        assert_eq!(
            check_object(&b"{\"a\":[".repeat(100_000), 32),
            Err(Error::JsonInvalid)
        );
    }

    #[test]
    fn text_that_parsers_read_differently_is_refused() {
        for bytes in [
            &b"\xef\xbb\xbf{}"[..],
            b"{\"a\":\"\xc0\xae\"}",
            br#"{"sub":"\uD800"}"#,
            b"{}x",
            b"",
            b"null",
            b"\"x\"",
            b"{\"a\":1e400}",
            b"{\"a\":01}",
            b"{\"a\":NaN}",
            b"{'a':1}",
            b"{\0\"\0a\0\"\0:\x001\0}\0",
        ] {
            assert_eq!(check_object(bytes, 32), Err(Error::JsonInvalid), "{bytes:?}");
        }
    }

    #[test]
    fn duplicates_are_found_at_every_depth() {
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"cnf":{"jkt":"A","jkt":"B"}}"#,
            r#"{"x":[{"b":1,"\u0062":1}]}"#,
        ] {
            assert_eq!(
                check_object(text.as_bytes(), 32),
                Err(Error::DuplicateMember),
                "{text}"
            );
        }
    }
}
