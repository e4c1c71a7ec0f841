//! Checking what a gateway has signed about a caller: its own key and type, this service alone, a minute at most.
//!
//! Spec: RFC 7519 §7.2 · RFC 8725 §3.1, §3.8, §3.9, §3.11

use std::sync::Arc;
use std::time::Duration;

use carnet_jose::{Accepted, Algorithm, CachedVerifier, Error, Times, TokenType, Verifier, dangerous};
use carnet_oauth::identity_assertion::{LONGEST_SECONDS, SERVICE_TYPE, TYPE};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::auth::Asserted;
use crate::caller::Caller;
use crate::challenge::{Denial, Refused};
use crate::issuer::Source;
use crate::token::Token;
use crate::typed::is_typed;

/// The assertions of one gateway for one service.
pub(crate) struct Assertions {
    pub(crate) gateway: String,
    service: String,
    users: CachedVerifier<Asserted>,
    services: CachedVerifier<Token>,
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
        let verifier = |token_type, required: &[&'static str]| {
            Verifier::builder(source.for_verifier())
                .algorithms(algorithms)
                .token_type(TokenType::Other(token_type))
                .issuer(gateway)
                .audience(service)
                .leeway(leeway)
                .max_token_age(Duration::from_secs(LONGEST_SECONDS))
                .require(required)
                .build()
                .map_err(|error| error.to_string())
        };
        let users = verifier(TYPE, &["iss", "aud", "sub", "iat", "exp"])?;
        let services = verifier(SERVICE_TYPE, &["iss", "aud", "sub", "client_id", "iat", "exp"])?;
        Ok(Self {
            gateway: gateway.to_owned(),
            service: service.to_owned(),
            users: CachedVerifier::new(users, remembered),
            services: CachedVerifier::new(services, remembered),
            source,
        })
    }

    /// The user whom the gateway names.
    pub(crate) async fn check(&self, assertion: &str, now: u64) -> Result<Arc<Accepted<Asserted>>, Denial> {
        let verified = self.verified(&self.users, assertion, now).await?;
        self.believe(&verified.times, &verified.claims.0)?;
        Ok(verified)
    }

    /// The service that the gateway names.
    pub(crate) async fn check_service(&self, assertion: &str, now: u64) -> Result<Caller, Denial> {
        let verified = self.verified(&self.services, assertion, now).await?;
        let claims = &verified.claims;
        self.believe(&verified.times, claims)?;
        let named = claims.text("client_id").zip(claims.text("sub"));
        let named = named.filter(|(name, _)| !name.is_empty());
        let (name, id) = named.ok_or(Refused::CallerNotBelieved.because(Error::ClaimWrongType.code()))?;
        Ok(Caller::new(name.into(), id, ("", verified.times.exp)))
    }

    async fn verified<C: DeserializeOwned>(
        &self,
        verifier: &CachedVerifier<C>,
        assertion: &str,
        now: u64,
    ) -> Result<Arc<Accepted<C>>, Denial> {
        if let Source::Remote(keys) = &self.source {
            keys.prepare().await;
        }
        let verified = match verifier.verify(assertion, now) {
            // Perhaps the gateway has just begun to sign with it.
            Err(Error::UnknownKeyId) => {
                self.look_again(assertion).await;
                verifier.verify(assertion, now)
            }
            other => other,
        };
        verified.map_err(|error| match error {
            Error::KeysUnavailable => Refused::Unavailable.because(error.code()),
            error => Refused::CallerNotBelieved.because(error.code()),
        })
    }

    fn believe(&self, times: &Times, claims: &Token) -> Result<(), Denial> {
        match self.flaw(times, claims) {
            Some(flaw) => Err(Refused::CallerNotBelieved.because(flaw)),
            None => Ok(()),
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
    fn flaw(&self, times: &Times, claims: &Token) -> Option<&'static str> {
        // One that is made within the leeway of the caller's token ends before it begins.
        let life = times.exp.zip(times.iat);
        let life = life.map(|(exp, iat)| exp.saturating_sub(iat));
        if !claims.names_alone("aud", &self.service) {
            Some("assertion_for_several")
        } else if life.is_none_or(|seconds| seconds > LONGEST_SECONDS) {
            Some("assertion_lives_too_long")
        } else if ["client_id", "sid"].iter().any(|name| claims.is_no_text(name)) {
            Some(Error::ClaimWrongType.code())
        } else if claims.text("sub") == Some("") {
            Some("sub_empty")
        } else if claims.has("cnf") {
            Some("confirmation_unknown")
        } else {
            None
        }
    }
}

/// Whether an assertion is about a service, by its own word.
pub(crate) fn is_about_service(assertion: &str) -> bool {
    dangerous::decode(assertion).is_ok_and(|decoded| is_typed(&decoded, SERVICE_TYPE))
}
