//! The registered claims, each of the one type that it may have.
//!
//! Spec: RFC 7519 §2 (NumericDate), §4.1

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::DeserializeSeed as _;
use serde_json::Value;

use crate::error::Error;
use crate::jws::present;
use crate::jwt::claim::{Claim, ReadTime};

/// The registered claims (RFC 7519 §4.1) of a token whose signature was checked. Times are whole seconds since 1970, to the year 9999
/// (RFC 7519 §2, NumericDate): a fraction is cut off.
///
/// What the token says without escapes is borrowed from the [`Scratch`](crate::Scratch).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registered<'s> {
    /// Who issued it (RFC 7519 §4.1.1).
    pub iss: Option<Cow<'s, str>>,
    /// Whom it is about (RFC 7519 §4.1.2).
    pub sub: Option<Cow<'s, str>>,
    /// For whom it is meant (RFC 7519 §4.1.3).
    pub aud: Audiences<'s>,
    /// From when on it is refused (RFC 7519 §4.1.4), in seconds since 1970.
    pub exp: Option<u64>,
    /// Until when it is refused (RFC 7519 §4.1.5), in seconds since 1970.
    pub nbf: Option<u64>,
    /// When it was made (RFC 7519 §4.1.6), in seconds since 1970.
    pub iat: Option<u64>,
    /// Its name (RFC 7519 §4.1.7).
    pub jti: Option<Cow<'s, str>>,
}

/// The times of a token (RFC 7519 §4.1.4 to §4.1.6), in seconds since 1970: what is checked again at every use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// From when on it is refused (RFC 7519 §4.1.4).
    pub exp: Option<u64>,
    /// Until when it is refused (RFC 7519 §4.1.5).
    pub nbf: Option<u64>,
    /// When it was made (RFC 7519 §4.1.6).
    pub iat: Option<u64>,
}

/// For whom a token is meant (RFC 7519 §4.1.3): a token says it as a string or as an array.
///
/// ```
/// use carnet_jose::Audiences;
///
/// let audiences = Audiences::from(vec!["https://api.example.com".to_owned()]);
/// assert!(audiences.contains("https://api.example.com"));
/// assert_eq!(audiences.iter().count(), 1);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audiences<'s>(Inner<'s>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Inner<'s> {
    #[default]
    None,
    /// No heap for the usual case.
    One(Cow<'s, str>),
    Many(Vec<Cow<'s, str>>),
}

impl<'s> Audiences<'s> {
    pub(crate) fn one(audience: Cow<'s, str>) -> Self {
        Self(Inner::One(audience))
    }

    pub(crate) fn many(audiences: Vec<Cow<'s, str>>) -> Self {
        Self(Inner::Many(audiences))
    }

    /// Each of them (RFC 7519 §4.1.3), in the token's order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let all = match &self.0 {
            Inner::None => &[],
            Inner::One(one) => std::slice::from_ref(one),
            Inner::Many(many) => many.as_slice(),
        };
        all.iter().map(AsRef::as_ref)
    }

    /// Whether this one is among them, byte for byte (RFC 7519 §4.1.3).
    pub fn contains(&self, audience: &str) -> bool {
        self.iter().any(|one| one == audience)
    }

    /// Whether there is none: the claim is absent (RFC 7519 §4.1.3).
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    fn into_owned(self) -> Audiences<'static> {
        Audiences(match self.0 {
            Inner::None => Inner::None,
            Inner::One(one) => Inner::One(owned(one)),
            Inner::Many(many) => Inner::Many(many.into_iter().map(owned).collect()),
        })
    }
}

impl From<Vec<String>> for Audiences<'static> {
    fn from(audiences: Vec<String>) -> Self {
        Self::many(audiences.into_iter().map(Cow::Owned).collect())
    }
}

fn owned(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default, deserialize_with = "present")]
    iss: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    sub: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    aud: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    jti: Option<Value>,
}

#[derive(Deserialize)]
struct RawTimes<'a> {
    #[serde(borrow, default, deserialize_with = "time")]
    exp: Option<Claim<'a>>,
    #[serde(borrow, default, deserialize_with = "time")]
    nbf: Option<Claim<'a>>,
    #[serde(borrow, default, deserialize_with = "time")]
    iat: Option<Claim<'a>>,
}

impl<'s> Registered<'s> {
    /// Reads the claims of a payload that is known to be one JSON object, and says what is wrong with them.
    pub(crate) fn read(payload: &[u8]) -> Result<Registered<'static>, Error> {
        let raw: Raw = serde_json::from_slice(payload).map_err(|_| Error::JsonInvalid)?;
        let times: RawTimes<'_> = serde_json::from_slice(payload).map_err(|_| Error::ClaimWrongType)?;
        let time = |claim: Option<Claim<'_>>| match claim {
            Some(claim) => claim.time().map(Some).ok_or(Error::ClaimWrongType),
            None => Ok(None),
        };
        Ok(Registered {
            iss: text(raw.iss)?,
            sub: text(raw.sub)?,
            aud: audiences(raw.aud)?,
            exp: time(times.exp)?,
            nbf: time(times.nbf)?,
            iat: time(times.iat)?,
            jti: text(raw.jti)?,
        })
    }

    /// The times among them (RFC 7519 §4.1.4 to §4.1.6).
    pub fn times(&self) -> Times {
        Times {
            exp: self.exp,
            nbf: self.nbf,
            iat: self.iat,
        }
    }

    /// The same (RFC 7519 §4.1), borrowing nothing.
    pub fn into_owned(self) -> Registered<'static> {
        Registered {
            iss: self.iss.map(owned),
            sub: self.sub.map(owned),
            aud: self.aud.into_owned(),
            exp: self.exp,
            nbf: self.nbf,
            iat: self.iat,
            jti: self.jti.map(owned),
        }
    }
}

fn text(value: Option<Value>) -> Result<Option<Cow<'static, str>>, Error> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(Cow::Owned(text))),
        Some(_) => Err(Error::ClaimWrongType),
    }
}

/// A string or an array of strings, and not an empty one.
fn audiences(value: Option<Value>) -> Result<Audiences<'static>, Error> {
    match value {
        None => Ok(Audiences::default()),
        Some(Value::String(one)) => Ok(Audiences::one(Cow::Owned(one))),
        Some(Value::Array(several)) if !several.is_empty() => {
            let several = several
                .into_iter()
                .map(|one| text(Some(one))?.ok_or(Error::ClaimWrongType));
            several.collect::<Result<_, _>>().map(Audiences::many)
        }
        Some(_) => Err(Error::ClaimWrongType),
    }
}

fn time<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Claim<'de>>, D::Error> {
    ReadTime.deserialize(deserializer).map(Some)
}
