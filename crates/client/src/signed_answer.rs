//! Introspection answers that are signed: nobody between us and the authorization server has written them.
//!
//! Spec: RFC 9701 §4, §5, §8.1

use std::sync::Arc;
use std::time::Duration;

use carnet_jose::{Algorithm, Error, KeySource, TokenType, Verifier};
use carnet_oauth::introspection::{MEDIA_TYPE, SignedIntrospection, TYPE};
use http::header;
use serde_json::{Map, Value};

use crate::clock::Clock;
use crate::error::ClientError;
use crate::http::Answer;
use crate::revocations::Keys;

/// Whose signature counts, and for whom an answer must be meant.
pub(crate) struct SignedAnswers {
    keys: Keys,
    verifier: Verifier,
    clock: Arc<dyn Clock>,
}

impl SignedAnswers {
    /// Answers of this issuer to the resource server that asks by the name `id`.
    pub(crate) fn new(
        (issuer, id): (&str, &str),
        (keys, algorithms): (Keys, &[Algorithm]),
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ClientError> {
        let source: Arc<dyn KeySource> = match &keys {
            Keys::Remote(remote) => remote.clone(),
            Keys::Fixed(fixed) => fixed.clone(),
        };
        // §5: `iat` alone says when; an answer of another time is none to the question that was just asked.
        let verifier = Verifier::builder(source)
            .algorithms(algorithms)
            .token_type(TokenType::Other(TYPE))
            .issuer(issuer)
            .audience(id)
            .without_expiry_check()
            .leeway(LEEWAY)
            .max_token_age(Duration::ZERO)
            .build()
            .map_err(|error| ClientError::Invalid(error.to_string()))?;
        Ok(Self {
            keys,
            verifier,
            clock,
        })
    }

    /// What was answered, when it is signed as it should be.
    pub(crate) async fn read(&self, url: &str, answer: Answer) -> Result<Map<String, Value>, ClientError> {
        let invalid = |why: &dyn std::fmt::Display| ClientError::Invalid(format!("{url}: {why}"));
        let kind = answer.headers.get(header::CONTENT_TYPE).cloned();
        let body = answer.ok(url)?;
        let kind = kind.as_ref().and_then(|value| value.to_str().ok());
        let kind = kind.and_then(|text| text.split(';').next()).unwrap_or_default();
        if !kind.trim().eq_ignore_ascii_case(MEDIA_TYPE) {
            return Err(invalid(&"the answer is not signed"));
        }
        let token = std::str::from_utf8(&body).map_err(|error| invalid(&error))?;
        self.verify(token).await.map_err(|error| invalid(&error))
    }

    async fn verify(&self, token: &str) -> Result<Map<String, Value>, Error> {
        if let Keys::Remote(keys) = &self.keys {
            keys.prepare().await;
        }
        let verify = || {
            let now = self.clock.since_epoch().as_secs();
            self.verifier
                .verify_owned::<SignedIntrospection<Map<String, Value>>>(token, now)
        };
        let verified = match (verify(), &self.keys) {
            (Err(Error::UnknownKeyId), Keys::Remote(keys)) => {
                keys.refresh_for_issuer(token).await;
                verify()?
            }
            (outcome, _) => outcome?,
        };
        Ok(verified.claims.token_introspection)
    }
}

/// How far clocks may be apart, and how long an answer may have been on its way.
const LEEWAY: Duration = Duration::from_secs(30);
