//! Checking a token: the header, the issuer it names, signature and claims, and, where asked for, whether it was revoked.
//!
//! Spec: RFC 6750 §2.1 · RFC 9068 §4 · RFC 7662

use carnet_jose::{Error, Verified};
use carnet_oauth::bearer::{self, BearerError};
use http::{HeaderMap, header};
use serde_json::{Map, Value};

use crate::auth::Auth;
use crate::challenge::Refused;
use crate::issuer::Source;
use crate::resource_server::{Guard, Trusted};

impl Guard {
    /// The caller behind a request, by its `Authorization` header alone: never by query, form or cookie (RFC 9700 §4.3.2).
    pub async fn check(&self, headers: &HeaderMap) -> Result<Auth, Refused> {
        let token = token_of(headers)?;
        let trusted = self.issuer_of(token)?;
        if let Source::Remote(keys) = &trusted.source {
            keys.prepare().await;
        }
        let verified = match self.verify(trusted, token) {
            // Perhaps the issuer has just begun to sign with it.
            Err(Error::UnknownKeyId) => {
                if let Source::Remote(keys) = &trusted.source {
                    keys.look_again().await;
                }
                self.verify(trusted, token)
            }
            other => other,
        };
        let verified = verified.map_err(|error| refuse(error, &trusted.name))?;
        if let Some(introspection) = &trusted.introspection {
            match introspection.ask(token).await {
                Ok(answer) if answer.active => {}
                Ok(_) => {
                    tracing::info!(
                        issuer = trusted.name,
                        "a token was refused: the issuer says that it is not active"
                    );
                    return Err(Refused::TokenInvalid);
                }
                Err(error) => {
                    tracing::warn!(%error, "whether a token was revoked could not be asked");
                    return Err(Refused::Unavailable);
                }
            }
        }
        Ok(Auth::new(verified))
    }

    fn verify(&self, trusted: &Trusted, token: &str) -> Result<Verified<Map<String, Value>>, Error> {
        trusted
            .verifier
            .verify_owned(token, self.parts.clock.since_epoch().as_secs())
    }

    /// With one issuer there is nothing to choose; with several, the token's own word says whose policy it is held against.
    fn issuer_of(&self, token: &str) -> Result<&Trusted, Refused> {
        if let [only] = self.parts.trusted.as_slice() {
            return Ok(only);
        }
        let claims = carnet_jose::dangerous::decode(token)
            .map_err(|_| Refused::TokenInvalid)?
            .payload;
        let named = claims.get("iss").and_then(Value::as_str);
        self.parts
            .trusted
            .iter()
            .find(|trusted| Some(trusted.name.as_str()) == named)
            .ok_or(Refused::TokenInvalid)
    }
}

fn token_of(headers: &HeaderMap) -> Result<&str, Refused> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(Refused::TokenMissing)?;
    if values.next().is_some() {
        return Err(Refused::Malformed);
    }
    match value.to_str().map(bearer::token) {
        Ok(Ok(token)) => Ok(token),
        Ok(Err(BearerError::OtherScheme)) => Err(Refused::TokenMissing),
        Ok(Err(BearerError::Malformed)) | Err(_) => Err(Refused::Malformed),
    }
}

fn refuse(error: Error, issuer: &str) -> Refused {
    match error {
        Error::KeysUnavailable => {
            tracing::warn!(issuer, "the keys of the issuer were never loaded");
            Refused::Unavailable
        }
        Error::Expired => Refused::TokenExpired,
        error => {
            tracing::info!(issuer, code = error.code(), "a token was refused");
            Refused::TokenInvalid
        }
    }
}
