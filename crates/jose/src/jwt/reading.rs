//! One pass over a payload: the registered claims, the caller's own type, and everything that is refused.
//!
//! Whatever is not quite right makes this give up: the caller then reads the payload step by step, to say what is wrong.
//!
//! Spec: RFC 7519 §4, §7.2 · RFC 8725 §3.7

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::json::{MAX_DEPTH, Marks, Name, Names, Watch, read_name};
use crate::jwt::claim::{Claim, HandOn, ReadClaim, ReadTime};
use crate::jwt::claims::{Audiences, Registered};

/// The claims, when the payload is one strict JSON object that has all of `required`.
pub(super) fn read_at_once<'de, C: Deserialize<'de>>(
    payload: &'de [u8],
    required: &Required,
) -> Option<(C, Registered<'de>)> {
    if required.others.len() >= 32 {
        return None;
    }
    let text = std::str::from_utf8(payload).ok()?;
    let marks = Marks::default();
    let mut parser = serde_json::Deserializer::from_str(text);
    let mut registered = Registered::default();
    let mut seen = Seen::default();
    let tee = Tee {
        inner: &mut parser,
        keep: Keep {
            watch: Watch::new(MAX_DEPTH, &marks),
            registered: &mut registered,
            required,
            seen: &mut seen,
        },
    };
    let claims = C::deserialize(tee).ok()?;
    parser.end().ok()?;
    // The caller's type has gone on in spite of an error: it was not told everything that the payload says.
    if marks.has_failed() {
        return None;
    }
    let others = (1 << required.others.len()) - 1;
    let all_there = required.registered & !seen.registered == 0 && seen.others == others;
    all_there.then_some((claims, registered))
}

/// The names of claims that must be there, sorted by how they are recognised.
pub(super) struct Required {
    /// A bit for each registered claim.
    registered: u8,
    /// 31 at most; whoever asks for more is answered step by step.
    others: Vec<String>,
}

impl Required {
    pub(super) fn new(names: &[String]) -> Self {
        let mut required = Self {
            registered: 0,
            others: Vec::new(),
        };
        for name in names {
            match Member::of(name) {
                Member::Other if required.others.contains(name) => {}
                Member::Other => required.others.push(name.clone()),
                member => required.registered |= member.bit(),
            }
        }
        required
    }
}

/// What was there.
#[derive(Default)]
struct Seen {
    registered: u8,
    others: u32,
}

/// What is kept while the claims pass.
struct Keep<'k, 'de> {
    watch: Watch<'k>,
    registered: &'k mut Registered<'de>,
    required: &'k Required,
    seen: &'k mut Seen,
}

/// The parser on the way in, the caller's visitor on the way out.
struct Tee<'k, 'de, T> {
    inner: T,
    keep: Keep<'k, 'de>,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Tee<'_, 'de, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_map(Tee {
            inner: visitor,
            keep: self.keep,
        })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        if name.starts_with("$serde_json::private") {
            return Err(D::Error::custom("raw text"));
        }
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Tee<'_, 'de, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        let watch = self.keep.watch.below()?;
        self.inner.visit_map(TeeMap {
            inner: map,
            keep: Keep { watch, ..self.keep },
            names: Names::default(),
            coming: Member::Other,
        })
    }
}

/// The members of the payload, one after the other.
struct TeeMap<'k, 'de, A> {
    inner: A,
    keep: Keep<'k, 'de>,
    names: Names<'de>,
    coming: Member,
}

/// Whose value comes next.
#[derive(Clone, Copy)]
enum Member {
    Iss,
    Sub,
    Aud,
    Exp,
    Nbf,
    Iat,
    Jti,
    Other,
}

impl Member {
    fn bit(self) -> u8 {
        match self {
            Self::Iss => 1,
            Self::Sub => 1 << 1,
            Self::Aud => 1 << 2,
            Self::Exp => 1 << 3,
            Self::Nbf => 1 << 4,
            Self::Iat => 1 << 5,
            Self::Jti => 1 << 6,
            Self::Other => 0,
        }
    }

    fn of(name: &str) -> Self {
        match name {
            "iss" => Self::Iss,
            "sub" => Self::Sub,
            "aud" => Self::Aud,
            "exp" => Self::Exp,
            "nbf" => Self::Nbf,
            "iat" => Self::Iat,
            "jti" => Self::Jti,
            _ => Self::Other,
        }
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for TeeMap<'_, 'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let watch = self.keep.watch;
        let Some(name) = watch.note(self.inner.next_key_seed(Name))? else {
            return Ok(None);
        };
        self.coming = Member::of(&name);
        let bit = self.coming.bit();
        if bit == 0 {
            watch.note(watch.check(&mut self.names, &name))?;
            for (bit, required) in self.keep.required.others.iter().enumerate() {
                self.keep.seen.others |= u32::from(*required == name) << bit;
            }
        } else if self.keep.seen.registered & bit != 0 {
            return watch.note(Err(A::Error::custom("duplicate member")));
        } else {
            self.keep.seen.registered |= bit;
        }
        watch.note(read_name(&name, seed).map(Some))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        let watch = self.keep.watch;
        watch.note(self.value(seed))
    }
}

impl<'de, A: MapAccess<'de>> TeeMap<'_, 'de, A> {
    fn value<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        let claim = match self.coming {
            Member::Other => return self.inner.next_value_seed(self.keep.watch.over(seed)),
            Member::Exp | Member::Nbf | Member::Iat => self.inner.next_value_seed(ReadTime)?,
            Member::Iss | Member::Sub | Member::Aud | Member::Jti => self.inner.next_value_seed(ReadClaim)?,
        };
        let kept = self.keep.registered.keep(self.coming, &claim);
        kept.ok_or_else(|| A::Error::custom("a claim of the wrong type"))?;
        seed.deserialize(HandOn::new(claim))
    }
}

impl<'de> Registered<'de> {
    /// `None`: this claim has another type.
    fn keep(&mut self, member: Member, claim: &Claim<'de>) -> Option<()> {
        match member {
            Member::Iss => self.iss = Some(claim.text()?),
            Member::Sub => self.sub = Some(claim.text()?),
            Member::Jti => self.jti = Some(claim.text()?),
            Member::Exp => self.exp = Some(claim.time()?),
            Member::Nbf => self.nbf = Some(claim.time()?),
            Member::Iat => self.iat = Some(claim.time()?),
            Member::Aud => {
                self.aud = match claim.texts()? {
                    [one] if matches!(claim, Claim::Text(_)) => Audiences::one(one.0.clone()),
                    [] => return None,
                    many => Audiences::many(many.iter().map(|text| text.0.clone()).collect()),
                }
            }
            Member::Other => {}
        }
        Some(())
    }
}
