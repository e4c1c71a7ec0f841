//! Checking what a gateway has signed about a caller: its own key and type, this service alone, a minute at most.
//!
//! Spec: RFC 7519 §7.2 · RFC 8725 §3.1, §3.8, §3.9, §3.11

use std::sync::Arc;
use std::time::Duration;

use carnet_jose::{Accepted, Algorithm, CachedVerifier, Error, TokenType, Verifier, dangerous};
use carnet_oauth::identity_assertion::{LONGEST_SECONDS, TYPE};
use serde_json::Value;

use crate::auth::Asserted;
use crate::challenge::{Denial, Refused};
use crate::issuer::Source;

/// The assertions of one gateway for one service.
pub(crate) struct Assertions {
    pub(crate) gateway: String,
    service: String,
    verifier: CachedVerifier<Asserted>,
    pub(crate) source: Source,
}

impl Assertions {
    pub(crate) fn new(
        (gateway, service): (&str, &str),
        source: Source,
        algorithms: &[Algorithm],
        (leeway, remembered): (Duration, usize),
    ) -> Result<Self, String> {
        // Whoever could check it could also make it.
        if algorithms.iter().any(|algorithm| algorithm.is_mac()) {
            return Err(
                "an assertion is signed with a key that services do not have: take HS256 away".to_owned(),
            );
        }
        let verifier = Verifier::builder(source.for_verifier())
            .algorithms(algorithms)
            .token_type(TokenType::Other(TYPE))
            .issuer(gateway)
            .audience(service)
            .leeway(leeway)
            .max_token_age(Duration::from_secs(LONGEST_SECONDS))
            .require(&["iss", "aud", "sub", "iat", "exp"])
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            gateway: gateway.to_owned(),
            service: service.to_owned(),
            verifier: CachedVerifier::new(verifier, remembered),
            source,
        })
    }

    pub(crate) async fn check(&self, assertion: &str, now: u64) -> Result<Arc<Accepted<Asserted>>, Denial> {
        if let Source::Remote(keys) = &self.source {
            keys.prepare().await;
        }
        let verified = match self.verifier.verify(assertion, now) {
            // Perhaps the gateway has just begun to sign with it.
            Err(Error::UnknownKeyId) => {
                self.look_again(assertion).await;
                self.verifier.verify(assertion, now)
            }
            other => other,
        };
        let verified = verified.map_err(|error| match error {
            Error::KeysUnavailable => Refused::Unavailable.because(error.code()),
            error => Refused::CallerNotBelieved.because(error.code()),
        })?;
        match self.flaw(&verified) {
            Some(flaw) => Err(Refused::CallerNotBelieved.because(flaw)),
            None => Ok(verified),
        }
    }

    /// Looks whether the gateway has the key by now. What names another issuer makes nobody ask.
    async fn look_again(&self, assertion: &str) {
        if let Source::Remote(keys) = &self.source
            && let Ok(decoded) = dangerous::decode(assertion)
            && decoded.payload.get("iss").and_then(Value::as_str) == Some(&self.gateway)
        {
            keys.look_for_key_of(assertion).await;
        }
    }

    /// What no gateway of ours would have signed.
    fn flaw(&self, verified: &Accepted<Asserted>) -> Option<&'static str> {
        let (times, claims) = (&verified.times, &verified.claims.0);
        // One that is made within the leeway of the caller's token ends before it begins.
        let life = times.exp.zip(times.iat);
        let life = life.map(|(exp, iat)| exp.saturating_sub(iat));
        if !claims.names_alone("aud", &self.service) {
            Some("assertion_for_several")
        } else if life.is_none_or(|seconds| seconds > LONGEST_SECONDS) {
            Some("assertion_lives_too_long")
        } else if ["client_id", "sid"].iter().any(|name| claims.is_no_text(name)) {
            Some(Error::ClaimWrongType.code())
        } else if claims.has("cnf") {
            Some("confirmation_unknown")
        } else {
            None
        }
    }
}
