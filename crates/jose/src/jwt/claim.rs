//! One claim on its way: read once, kept, and handed on to whoever asked for it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::SeqDeserializer;
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

/// The value of a registered claim, where it has a type that one of them may have.
#[derive(Clone)]
pub(super) enum Claim<'de> {
    Text(Text<'de>),
    Texts(Vec<Text<'de>>),
    Seconds(u64),
    Fraction(f64),
}

impl<'de> Claim<'de> {
    pub(super) fn text(&self) -> Option<Cow<'de, str>> {
        match self {
            Self::Text(text) => Some(text.0.clone()),
            _ => None,
        }
    }

    /// One text, or an array of them.
    pub(super) fn texts(&self) -> Option<&[Text<'de>]> {
        match self {
            Self::Text(text) => Some(std::slice::from_ref(text)),
            Self::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    pub(super) fn time(&self) -> Option<u64> {
        match self {
            Self::Seconds(seconds) => seconds_in_range(*seconds),
            Self::Fraction(seconds) => whole_seconds(*seconds),
            _ => None,
        }
    }
}

/// Reads a time: a number in the text. `serde_json` may be built to take some objects for numbers, but not where a number is asked for.
pub(super) struct ReadTime;

impl<'de> DeserializeSeed<'de> for ReadTime {
    type Value = Claim<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Claim<'de>, D::Error> {
        deserializer.deserialize_u64(ReadClaim)
    }
}

/// Reads a claim. What no registered claim can be is an error.
pub(super) struct ReadClaim;

impl<'de> DeserializeSeed<'de> for ReadClaim {
    type Value = Claim<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Claim<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ReadClaim {
    type Value = Claim<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, an array of texts, or a time")
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Claim<'de>, E> {
        Ok(Claim::Text(Text(Cow::Borrowed(text))))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Claim<'de>, E> {
        Ok(Claim::Text(Text(Cow::Owned(text.to_owned()))))
    }

    fn visit_u64<E: serde::de::Error>(self, seconds: u64) -> Result<Claim<'de>, E> {
        Ok(Claim::Seconds(seconds))
    }

    fn visit_f64<E: serde::de::Error>(self, seconds: f64) -> Result<Claim<'de>, E> {
        Ok(Claim::Fraction(seconds))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Claim<'de>, A::Error> {
        let mut texts = Vec::new();
        while let Some(claim) = seq.next_element_seed(ReadClaim)? {
            match claim {
                Claim::Text(text) => texts.push(text),
                _ => return Err(serde::de::Error::custom("not an array of texts")),
            }
        }
        Ok(Claim::Texts(texts))
    }
}

/// Text of a claim.
#[derive(Clone)]
pub(super) struct Text<'de>(pub(super) Cow<'de, str>);

impl<'de, E: serde::de::Error> IntoDeserializer<'de, E> for Text<'de> {
    type Deserializer = HandOn<'de, E>;

    fn into_deserializer(self) -> HandOn<'de, E> {
        HandOn::new(Claim::Text(self))
    }
}

/// Hands a claim on as the parser would have.
pub(super) struct HandOn<'de, E> {
    claim: Claim<'de>,
    error: PhantomData<fn() -> E>,
}

impl<'de, E> HandOn<'de, E> {
    pub(super) fn new(claim: Claim<'de>) -> Self {
        Self {
            claim,
            error: PhantomData,
        }
    }
}

impl<'de, E: serde::de::Error> Deserializer<'de> for HandOn<'de, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.claim {
            Claim::Text(Text(Cow::Borrowed(text))) => visitor.visit_borrowed_str(text),
            Claim::Text(Text(Cow::Owned(text))) => visitor.visit_string(text),
            Claim::Texts(texts) => visitor.visit_seq(SeqDeserializer::new(texts.into_iter())),
            Claim::Seconds(seconds) => visitor.visit_u64(seconds),
            Claim::Fraction(seconds) => visitor.visit_f64(seconds),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, E> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct enum identifier
    }
}

/// The last second of the year 9999: what lies behind it is no time that a calendar has.
const YEAR_9999: u64 = 253_402_300_799;

/// A NumericDate within the years that mean anything.
fn seconds_in_range(seconds: u64) -> Option<u64> {
    (seconds <= YEAR_9999).then_some(seconds)
}

/// A NumericDate may have a fraction; it is not negative, and within the years that mean anything.
fn whole_seconds(seconds: f64) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the year 9999"
    )]
    let whole = (0.0..1e12).contains(&seconds).then_some(seconds as u64)?;
    seconds_in_range(whole)
}
