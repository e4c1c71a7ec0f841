//! The registered claims, each of the one type that it may have.
//!
//! Spec: RFC 7519 §2 (NumericDate), §4.1

use serde::Deserialize;
use serde_json::Value;

use crate::error::Error;
use crate::jws::present;

/// The registered claims of a token whose signature was checked. Times are seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registered {
    /// Who issued it.
    pub iss: Option<String>,
    /// Whom it is about.
    pub sub: Option<String>,
    /// For whom it is meant.
    pub aud: Vec<String>,
    /// From when on it is refused.
    pub exp: Option<u64>,
    /// Until when it is refused.
    pub nbf: Option<u64>,
    /// When it was made.
    pub iat: Option<u64>,
    /// Its name.
    pub jti: Option<String>,
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
    exp: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    iat: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    jti: Option<Value>,
}

impl Registered {
    /// Reads the claims of a payload that is known to be one JSON object.
    pub(crate) fn read(payload: &[u8]) -> Result<Self, Error> {
        let raw: Raw = serde_json::from_slice(payload).map_err(|_| Error::JsonInvalid)?;
        Ok(Self {
            iss: text(raw.iss)?,
            sub: text(raw.sub)?,
            aud: audiences(raw.aud)?,
            exp: time(raw.exp)?,
            nbf: time(raw.nbf)?,
            iat: time(raw.iat)?,
            jti: text(raw.jti)?,
        })
    }
}

fn text(value: Option<Value>) -> Result<Option<String>, Error> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Error::ClaimWrongType),
    }
}

/// A string or an array of strings, and not an empty one.
fn audiences(value: Option<Value>) -> Result<Vec<String>, Error> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one]),
        Some(Value::Array(several)) if !several.is_empty() => several
            .into_iter()
            .map(|one| text(Some(one))?.ok_or(Error::ClaimWrongType))
            .collect(),
        Some(_) => Err(Error::ClaimWrongType),
    }
}

/// A NumericDate: a JSON number, possibly with a fraction, not negative, within the years that mean anything.
fn time(value: Option<Value>) -> Result<Option<u64>, Error> {
    const YEAR_9999: f64 = 253_402_300_799.0;
    let Some(value) = value else { return Ok(None) };
    let Value::Number(number) = value else {
        return Err(Error::ClaimWrongType);
    };
    if let Some(seconds) = number.as_u64() {
        return Ok(Some(seconds));
    }
    match number.as_f64() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and the year 9999"
        )]
        Some(seconds) if (0.0..=YEAR_9999).contains(&seconds) => Ok(Some(seconds as u64)),
        _ => Err(Error::ClaimWrongType),
    }
}
