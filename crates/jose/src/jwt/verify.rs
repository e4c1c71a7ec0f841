//! Checking a token: size, shape, header, key, signature, and only then what it says.
//!
//! Spec: RFC 7519 §7.2 · RFC 7515 §5.2 · RFC 8725 §3

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::error::Error;
use crate::json::{MAX_DEPTH, check_object};
use crate::jwk_set::{KeySource, MAX_KEY_ID_BYTES};
use crate::jws::{Header, Segments};
use crate::jwt::claims::Registered;
use crate::jwt::policy::Policy;

/// The largest signature of any algorithm: ML-DSA-87.
const MAX_SIGNATURE_BYTES: usize = 4627;

/// A policy, and the keys it is checked with. Built once, used by any number of threads.
///
/// ```
/// use std::sync::Arc;
/// use carnet_jose::{Algorithm, AnySigningKey, KeySet, Signer, TokenType, Verifier};
///
/// let key = AnySigningKey::generate(Algorithm::Es256)?;
/// let keys = KeySet::new(vec![(Some("k1".into()), key.verifying_key())])?;
/// let signer = Signer::new(key, TokenType::AccessToken, Some("k1".into()))?;
/// let verifier = Verifier::builder(Arc::new(keys))
///     .algorithms(&[Algorithm::Es256])
///     .token_type(TokenType::AccessToken)
///     .issuer("https://auth.example.com")
///     .audience("https://api.example.com")
///     .build()?;
///
/// let token = signer.sign(&serde_json::json!({
///     "iss": "https://auth.example.com", "aud": "https://api.example.com", "sub": "alice", "exp": 1_000_900,
/// }))?;
/// let verified = verifier.verify_owned::<serde_json::Value>(&token, 1_000_000)?;
/// assert_eq!(verified.registered.sub.as_deref(), Some("alice"));
/// assert_eq!(verifier.verify_owned::<serde_json::Value>(&token, 1_000_931).unwrap_err().code(), "token_expired");
/// # Ok::<(), carnet_jose::Error>(())
/// ```
pub struct Verifier {
    source: Box<dyn KeySource>,
    policy: Policy,
}

/// A token that the policy accepts.
#[derive(Clone, Debug)]
pub struct Verified<C> {
    /// Everything it says, in the caller's type.
    pub claims: C,
    /// The registered claims.
    pub registered: Registered,
    /// The key that signed it.
    pub key_id: Option<String>,
    /// The algorithm it is signed with.
    pub algorithm: Algorithm,
    /// Whether `iat` lies in the future beyond the leeway: no error by itself, but somebody's clock is wrong.
    pub issued_in_future: bool,
}

/// Memory that is used again for every token; claims may borrow from it.
#[derive(Debug, Default)]
pub struct Scratch {
    header: Vec<u8>,
    payload: Vec<u8>,
}

impl Verifier {
    pub(super) fn with(source: Box<dyn KeySource>, policy: Policy) -> Self {
        Self { source, policy }
    }

    /// Checks a token at `now` (seconds since 1970); the claims may borrow from `scratch`.
    pub fn verify<'s, C: Deserialize<'s>>(
        &self,
        token: &str,
        now: u64,
        scratch: &'s mut Scratch,
    ) -> Result<Verified<C>, Error> {
        let (header, algorithm) = self.check_signature(token, scratch)?;
        let payload = scratch.payload.as_slice();
        check_object(payload, MAX_DEPTH)?;
        let registered = Registered::read(payload)?;
        let issued_in_future = self.check_claims(&registered, payload, now)?;
        let claims = serde_json::from_slice(payload).map_err(|_| Error::ClaimsInvalid)?;
        Ok(Verified {
            claims,
            registered,
            key_id: header.key_id,
            algorithm,
            issued_in_future,
        })
    }

    /// As [`Verifier::verify`], with claims that own what they say.
    pub fn verify_owned<C: DeserializeOwned>(&self, token: &str, now: u64) -> Result<Verified<C>, Error> {
        self.verify(token, now, &mut Scratch::default())
    }

    /// Leaves the decoded payload in `scratch`, after the signature over it has been checked.
    fn check_signature(&self, token: &str, scratch: &mut Scratch) -> Result<(Header, Algorithm), Error> {
        let segments = Segments::split(token)?;
        let header = Header::decode(segments.header, &mut scratch.header)?;
        let algorithm = Algorithm::from_name(&header.algorithm)
            .filter(|algorithm| self.policy.algorithms.contains(algorithm));
        let algorithm = algorithm.ok_or(Error::AlgorithmNotAllowed)?;
        self.policy.token_type.check(header.token_type.as_deref())?;
        if header
            .key_id
            .as_ref()
            .is_some_and(|kid| kid.is_empty() || kid.len() > MAX_KEY_ID_BYTES)
        {
            return Err(Error::HeaderInvalid);
        }

        let keys = self.source.keys()?;
        let key = keys.find(header.key_id.as_deref(), algorithm)?;
        let mut array = [0; MAX_SIGNATURE_BYTES];
        let signature = base64url::decode_signature(segments.signature, &mut array)?;
        key.verify(segments.signed.as_bytes(), signature)?;
        base64url::decode_into(segments.payload, &mut scratch.payload)?;
        Ok((header, algorithm))
    }

    /// Answers whether `iat` lies in the future.
    fn check_claims(&self, claims: &Registered, payload: &[u8], now: u64) -> Result<bool, Error> {
        let policy = &self.policy;
        if let Some(issuer) = &policy.issuer {
            match &claims.iss {
                None => return Err(Error::ClaimMissing),
                Some(found) if found != issuer => return Err(Error::IssuerMismatch),
                Some(_) => {}
            }
        }
        if !policy.audiences.is_empty() {
            if claims.aud.is_empty() {
                return Err(Error::ClaimMissing);
            }
            if !claims.aud.iter().any(|found| policy.audiences.contains(found)) {
                return Err(Error::AudienceMismatch);
            }
        }
        if policy.expiry && claims.exp.is_none() {
            return Err(Error::ClaimMissing);
        }
        // §4.1.4: on or after `exp` the token is refused.
        if claims
            .exp
            .is_some_and(|exp| now >= exp.saturating_add(policy.leeway))
        {
            return Err(Error::Expired);
        }
        if claims
            .nbf
            .is_some_and(|nbf| now.saturating_add(policy.leeway) < nbf)
        {
            return Err(Error::NotYetValid);
        }
        self.check_required(claims, payload)?;
        Ok(claims
            .iat
            .is_some_and(|iat| iat > now.saturating_add(policy.leeway)))
    }

    fn check_required(&self, claims: &Registered, payload: &[u8]) -> Result<(), Error> {
        let mut others: Option<HashMap<String, IgnoredAny>> = None;
        for name in &self.policy.required {
            let there = match name.as_str() {
                "iss" => claims.iss.is_some(),
                "sub" => claims.sub.is_some(),
                "aud" => !claims.aud.is_empty(),
                "exp" => claims.exp.is_some(),
                "nbf" => claims.nbf.is_some(),
                "iat" => claims.iat.is_some(),
                "jti" => claims.jti.is_some(),
                other => {
                    if others.is_none() {
                        others = Some(serde_json::from_slice(payload).map_err(|_| Error::JsonInvalid)?);
                    }
                    others.as_ref().is_some_and(|members| members.contains_key(other))
                }
            };
            if !there {
                return Err(Error::ClaimMissing);
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("issuer", &self.policy.issuer)
            .field("audiences", &self.policy.audiences)
            .finish_non_exhaustive()
    }
}
