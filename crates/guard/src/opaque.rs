//! Tokens that only their issuer can read: it is asked, and its answer is held against the same policy as a JWT.
//!
//! Spec: RFC 7662 §2.2, §4 · RFC 7519 §4.1 (the claims)

use std::sync::Arc;

use carnet_client::introspect::Introspection;
use carnet_jose::{Error, MAX_TOKEN_BYTES, base64url};
use serde_json::{Map, Value};

use crate::challenge::{Denial, Refused};
use crate::token::Token;

/// An issuer that is asked about its tokens.
pub(crate) struct Opaque {
    pub(crate) name: String,
    /// What its tokens begin with; `None`: whatever no other issuer's prefix fits.
    pub(crate) prefix: Option<String>,
    pub(crate) introspection: Introspection,
    /// The claims that its answers may lack.
    pub(crate) may_lack: Vec<String>,
    pub(crate) audience: String,
    /// In seconds, for `nbf` alone: an answer never outlives the token.
    pub(crate) leeway: u64,
}

/// What every answer says, unless its issuer is excused from it.
const REQUIRED: [&str; 5] = ["iss", "aud", "exp", "sub", "client_id"];

impl Opaque {
    pub(crate) fn owns(&self, token: &str) -> bool {
        self.prefix
            .as_deref()
            .is_some_and(|prefix| token.starts_with(prefix))
    }

    pub(crate) async fn ask_about(&self, token: &str, now: u64) -> Result<Arc<Token>, Denial> {
        // Nobody's token is that long; the issuer is not asked for it.
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Error::TokenTooLarge.into());
        }
        let told = match self.introspection.claims(token).await {
            Ok(Some(told)) => told,
            Ok(None) => return Err(Refused::TokenInvalid.because("token_inactive")),
            Err(error) => {
                tracing::warn!(%error, issuer = self.name, "what a token says could not be asked");
                return Err(Refused::Unavailable.because("introspection_unavailable"));
            }
        };
        self.check(&told, now)?;
        Ok(Arc::new(Token::from(&*told)))
    }

    /// A claim of the wrong type is wrong, not missing.
    fn check(&self, told: &Map<String, Value>, now: u64) -> Result<(), Error> {
        let excused = |name: &str| self.may_lack.iter().any(|one| one == name);
        if REQUIRED
            .iter()
            .any(|name| !told.contains_key(*name) && !excused(name))
        {
            return Err(Error::ClaimMissing);
        }
        for name in ["iss", "sub", "client_id", "jti", "sid"] {
            if told.get(name).is_some_and(|value| !value.is_string()) {
                return Err(Error::ClaimWrongType);
            }
        }
        // Nobody has no name.
        if told.get("sub").is_some_and(|sub| sub == "") {
            return Err(Error::ClaimWrongType);
        }
        if told.get("iss").is_some_and(|issuer| issuer != self.name.as_str()) {
            return Err(Error::IssuerMismatch);
        }
        self.check_audience(told.get("aud"))?;
        if !told.get("scope").is_none_or(is_words) {
            return Err(Error::ClaimWrongType);
        }
        let time = |name: &str| match told.get(name) {
            None => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or(Error::ClaimWrongType),
        };
        time("iat")?;
        if time("exp")?.is_some_and(|exp| now >= exp) {
            return Err(Error::Expired);
        }
        if time("nbf")?.is_some_and(|nbf| now.saturating_add(self.leeway) < nbf) {
            return Err(Error::NotYetValid);
        }
        Ok(())
    }

    fn check_audience(&self, audience: Option<&Value>) -> Result<(), Error> {
        let ours = match audience {
            None => true,
            Some(Value::String(one)) => *one == self.audience,
            Some(Value::Array(several)) => {
                if !several.iter().all(Value::is_string) {
                    return Err(Error::ClaimWrongType);
                }
                several.iter().any(|one| one == self.audience.as_str())
            }
            Some(_) => return Err(Error::ClaimWrongType),
        };
        if ours {
            Ok(())
        } else {
            Err(Error::AudienceMismatch)
        }
    }
}

/// A text, or an array of texts: issuers differ.
fn is_words(value: &Value) -> bool {
    match value {
        Value::String(_) => true,
        Value::Array(words) => words.iter().all(Value::is_string),
        _ => false,
    }
}

/// Whether a token has the form of a signed JWT (RFC 7515 §7.1): three parts, of which the first is a JSON object.
pub(crate) fn is_jwt(token: &str) -> bool {
    let mut parts = token.splitn(4, '.');
    let (Some(header), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    token.len() <= MAX_TOKEN_BYTES
        && base64url::decode(header).is_ok_and(|bytes| bytes.trim_ascii_start().first() == Some(&b'{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jwt_is_known_by_its_form() {
        for (token, jwt) in [
            ("eyJhbGciOiJub25lIn0.e30.", true),
            ("ewogImFsZyI6Im5vbmUifQ.e30.x", true),
            ("eyJhbGciOiJub25lIn0.e30", false),
            ("eyJhbGciOiJub25lIn0.a.b.c.d", false),
            ("bm90IEpTT04.e30.x", false),
            ("a.b.c", false),
            ("...", false),
            ("2YotnFZFEjr1zCsicMWpAA", false),
            ("", false),
        ] {
            assert_eq!(is_jwt(token), jwt, "{token}");
        }
    }
}
