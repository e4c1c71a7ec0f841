//! JSON that every parser reads alike: UTF-8, one object, no member twice, not too deep.
//!
//! Spec: RFC 8259 §4 · RFC 7515 §4 (duplicates) · RFC 8725 §3.7

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

use crate::error::Error;

/// The deepest nesting that is read anywhere.
pub const MAX_DEPTH: usize = 32;

/// Checks that the bytes are one JSON object without duplicate members at any depth.
///
/// Names are compared after unescaping: `"sub"` and `"\u0073ub"` are the same member.
///
/// ```
/// use carnet_jose::{Error, json::check_object};
///
/// assert_eq!(check_object(br#"{"sub":"alice"}"#, 32), Ok(()));
/// assert_eq!(check_object(br#"{"sub":"alice","\u0073ub":"bob"}"#, 32), Err(Error::DuplicateMember));
/// assert_eq!(check_object(b"[]", 32), Err(Error::JsonInvalid));
/// ```
pub fn check_object(bytes: &[u8], max_depth: usize) -> Result<(), Error> {
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Error::JsonInvalid);
    }
    let duplicate = Cell::new(false);
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let checked = Checked {
        left: max_depth.min(MAX_DEPTH),
        duplicate: &duplicate,
    }
    .deserialize(&mut parser);
    match checked.and_then(|()| parser.end()) {
        Ok(()) => Ok(()),
        Err(_) if duplicate.get() => Err(Error::DuplicateMember),
        Err(_) => Err(Error::JsonInvalid),
    }
}

/// Walks a value without keeping it.
#[derive(Clone, Copy)]
struct Checked<'c> {
    left: usize,
    duplicate: &'c Cell<bool>,
}

impl<'c> Checked<'c> {
    fn below<E: serde::de::Error>(self) -> Result<Checked<'c>, E> {
        let left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| E::custom("nested too deeply"))?;
        Ok(Self { left, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Checked<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Checked<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let below = self.below()?;
        while seq.next_element_seed(below)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let below = self.below()?;
        let mut names = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name) {
                self.duplicate.set(true);
                return Err(A::Error::custom("duplicate member"));
            }
            map.next_value_seed(below)?;
        }
        Ok(())
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
