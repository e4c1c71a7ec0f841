//! What a token says, in as little memory as it takes to say it: thousands of them are remembered. Whoever wants a claim as JSON has it read anew.
//!
//! Spec: RFC 7519 §4 (claims) · RFC 9068 §2.2.3 (scope, roles)

use serde::de::value::MapDeserializer;
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::{Map, Value};

/// The claims of a token: one text, and where each of them ends in it.
#[derive(Debug, Deserialize)]
#[serde(from = "Map<String, Value>")]
pub(crate) struct Token {
    /// Name, value, name, value. What is a text has a quotation mark in front and stands as it is; everything else is JSON.
    text: Box<str>,
    /// Where a name ends, and its value.
    ends: Box<[(u32, u32)]>,
}

/// The value of a claim.
#[derive(Clone, Copy)]
enum Said<'t> {
    Text(&'t str),
    Json(&'t str),
}

impl Token {
    /// A claim as JSON.
    pub(crate) fn claim(&self, name: &str) -> Option<Value> {
        self.said(name).map(Said::value)
    }

    /// A claim that is a text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.said(name).and_then(Said::text)
    }

    /// A claim that is a whole number, and not a negative one.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        match self.said(name)? {
            Said::Text(_) => None,
            Said::Json(json) => json.parse().ok(),
        }
    }

    /// Whether there is such a claim.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.said(name).is_some()
    }

    /// Whether a claim is this text, or an array of it and nothing else.
    pub(crate) fn names_alone(&self, name: &str, one: &str) -> bool {
        match self.claim(name) {
            Some(Value::Array(several)) => several.iter().all(|other| other == one),
            other => other.is_some_and(|other| other == one),
        }
    }

    /// Whether there is such a claim, and it is something else than a text.
    pub(crate) fn is_no_text(&self, name: &str) -> bool {
        matches!(self.said(name), Some(Said::Json(_)))
    }

    /// The words of a claim: a text with spaces between them, or an array of texts, for issuers differ.
    pub(crate) fn words(&self, name: &str) -> Vec<String> {
        match self.said(name) {
            Some(Said::Text(text)) => words(text).map(str::to_owned).collect(),
            Some(json @ Said::Json(_)) => json.texts().collect(),
            None => Vec::new(),
        }
    }

    /// Whether this is one of the words of a claim.
    pub(crate) fn has_word(&self, name: &str, word: &str) -> bool {
        match self.said(name) {
            Some(Said::Text(text)) => words(text).any(|one| one == word),
            Some(json @ Said::Json(_)) => json.texts().any(|one| one == word),
            None => false,
        }
    }

    /// All claims, in a type of the caller's.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(MapDeserializer::new(self.claims()))
    }

    fn said(&self, name: &str) -> Option<Said<'_>> {
        let text = self.text.as_bytes();
        let mut from = 0;
        self.ends.iter().find_map(|(known, value)| {
            let (start, known, value) = (from, *known as usize, *value as usize);
            from = value;
            match text.get(start..known)? == name.as_bytes() {
                true => self.text.get(known..value).map(Said::read),
                false => None,
            }
        })
    }

    fn claims(&self) -> impl Iterator<Item = (&str, Said<'_>)> {
        let mut from = 0;
        self.ends.iter().filter_map(move |(name, value)| {
            let (start, name, value) = (from, *name as usize, *value as usize);
            from = value;
            let said = self.text.get(name..value)?;
            Some((self.text.get(start..name)?, Said::read(said)))
        })
    }
}

impl From<Map<String, Value>> for Token {
    fn from(claims: Map<String, Value>) -> Self {
        Self::from(&claims)
    }
}

impl From<&Map<String, Value>> for Token {
    fn from(claims: &Map<String, Value>) -> Self {
        let mut text = String::with_capacity(512);
        let end = |text: &String| u32::try_from(text.len()).unwrap_or(u32::MAX);
        let written = claims.iter().map(|(name, value)| {
            text.push_str(name);
            let name = end(&text);
            match value {
                Value::String(value) => {
                    text.push(MARK);
                    text.push_str(value);
                }
                value => text.push_str(&value.to_string()),
            }
            (name, end(&text))
        });
        Self {
            ends: written.collect(),
            text: text.into_boxed_str(),
        }
    }
}

impl<'t> Said<'t> {
    fn read(said: &'t str) -> Self {
        match said.strip_prefix(MARK) {
            Some(text) => Self::Text(text),
            None => Self::Json(said),
        }
    }

    fn text(self) -> Option<&'t str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Json(_) => None,
        }
    }

    fn value(self) -> Value {
        match self {
            Self::Text(text) => Value::from(text),
            Self::Json(json) => serde_json::from_str(json).unwrap_or_default(),
        }
    }

    /// The texts of an array.
    fn texts(self) -> impl Iterator<Item = String> {
        let list = match self.value() {
            Value::Array(list) => list,
            _ => Vec::new(),
        };
        list.into_iter().filter_map(|one| match one {
            Value::String(text) => Some(text),
            _ => None,
        })
    }
}

impl<'t> IntoDeserializer<'t, serde_json::Error> for Said<'t> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// As the JSON would be read. What nobody wants is not.
impl<'de> Deserializer<'de> for Said<'de> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.value().deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.value().deserialize_option(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.value().deserialize_enum(name, variants, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.value().deserialize_newtype_struct(name, visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ').filter(|word| !word.is_empty())
}

/// In front of what is a text: no other JSON begins so.
const MARK: char = '"';

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(claims: Value) -> Token {
        serde_json::from_value(claims).unwrap()
    }

    #[test]
    fn a_claim_is_found_as_it_was_said() {
        let all = json!({
            "": "nameless", "sub": "alice", "quoted": "\"\\\u{0}", "empty": "", "none": null, "yes": true, "n": 7, "minus": -7,
            "far": 253_402_300_799_u64, "part": 0.1, "https://x.test/a.b": { "b": [1, "x", {}] }, "list": [], "sub\"": "ü",
        });
        let token = token(all.clone());
        for (name, value) in all.as_object().unwrap() {
            assert_eq!(token.claim(name).as_ref(), Some(value), "{name}");
            assert_eq!(token.text(name), value.as_str(), "{name}");
            assert_eq!(token.number(name), value.as_u64(), "{name}");
            assert_eq!(token.is_no_text(name), !value.is_string(), "{name}");
        }
        for name in ["su", "subalice", "alice", "b", "n7"] {
            assert!(token.claim(name).is_none() && token.text(name).is_none() && !token.is_no_text(name));
        }
        assert_eq!(token.read::<Value>().unwrap(), all);
    }

    #[test]
    fn words_stand_in_a_text_or_in_an_array() {
        let token = token(json!({ "scope": " a  b", "roles": ["c", 7, "d e"], "permissions": { "f": 1 } }));
        assert_eq!(token.words("scope"), ["a", "b"]);
        assert_eq!(token.words("roles"), ["c", "d e"]);
        assert!(token.words("permissions").is_empty() && token.words("nothing").is_empty());
        assert!(token.has_word("scope", "b") && token.has_word("roles", "d e"));
        assert!(
            !token.has_word("scope", "") && !token.has_word("roles", "d") && !token.has_word("roles", "7")
        );
        assert!(!token.has_word("permissions", "f") && !token.has_word("nothing", "a"));
    }

    #[test]
    fn claims_are_read_into_a_type_as_json_would_be() {
        #[derive(Debug, PartialEq, Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Level {
            Low,
        }
        #[derive(Debug, PartialEq, Deserialize)]
        struct Name(String);
        #[derive(Debug, PartialEq, Deserialize)]
        struct Wanted {
            sub: Name,
            level: Level,
            tenant: Option<String>,
            absent: Option<String>,
            null: Option<u8>,
            #[serde(default)]
            count: u8,
            inner: Map<String, Value>,
        }
        let all = json!({
            "sub": "alice", "level": "low", "tenant": "red", "null": null, "count": 3, "inner": { "a": [1] }, "more": "x",
        });
        assert_eq!(
            token(all.clone()).read::<Wanted>().unwrap(),
            serde_json::from_value(all).unwrap()
        );
        let wrong = json!({ "sub": 7, "level": "low", "inner": {} });
        assert!(token(wrong).read::<Wanted>().is_err());
    }
}
