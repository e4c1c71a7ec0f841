//! Checking a token: size, shape, header, key, signature, and only then what it says.
//!
//! Spec: RFC 7519 §7.2 · RFC 7515 §5.2 · RFC 8725 §3

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::error::Error;
use crate::json::{MAX_DEPTH, check_object};
use crate::jwk_set::{KeySource, MAX_KEY_ID_BYTES};
use crate::jws::{Header, Segments};
use crate::jwt::claims::{Registered, Times};
use crate::jwt::known_header::{KnownHeader, KnownHeaders};
use crate::jwt::policy::Policy;
use crate::jwt::reading::read_at_once;
use crate::key::AnyVerifyingKey;

/// RSA with 8,192 bits.
const MAX_RSA_SIGNATURE_BYTES: usize = 1024;
/// ES512; MACs and Ed25519 have fewer.
const MAX_SHORT_SIGNATURE_BYTES: usize = 132;

thread_local! {
    /// For callers who keep none: one for each thread, as large as the largest payload it has seen.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// A policy (RFC 8725 §3), and the keys it is checked with. Built once, used by any number of threads.
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
    headers: KnownHeaders,
}

/// A token that the policy accepts (RFC 7519 §7.2).
#[derive(Clone, Debug)]
pub struct Verified<'s, C> {
    /// Everything it says, in the caller's type (RFC 7519 §4).
    pub claims: C,
    /// The registered claims (RFC 7519 §4.1).
    pub registered: Registered<'s>,
    /// The name of the key that signed it, whatever its header says (RFC 7515 §4.1.4): the `kid` that the key has in the set (RFC 7517 §4.5), or
    /// the thumbprint of one that has none there (RFC 7638). A shared secret without a name has none.
    pub key_id: Option<Arc<str>>,
    /// The algorithm it is signed with (RFC 7515 §4.1.1).
    pub algorithm: Algorithm,
    /// Whether `iat` (RFC 7519 §4.1.6) lies in the future beyond the leeway: no error by itself, but somebody's clock is wrong.
    pub issued_in_future: bool,
}

/// Memory that is used again for every token; claims may borrow from it. Our own.
///
/// ```
/// use std::sync::Arc;
/// use carnet_jose::{Algorithm, AnySigningKey, KeySet, Scratch, Signer, TokenType, Verifier};
///
/// #[derive(serde::Deserialize)]
/// struct Claims<'s> {
///     sub: &'s str,
/// }
///
/// let key = AnySigningKey::generate(Algorithm::Hs256)?;
/// let verifier = Verifier::builder(Arc::new(KeySet::pinned(key.verifying_key())?))
///     .algorithms(&[Algorithm::Hs256])
///     .token_type(TokenType::Jwt)
///     .without_issuer_check()
///     .without_audience_check()
///     .build()?;
/// let token = Signer::new(key, TokenType::Jwt, None)?.sign(&serde_json::json!({ "sub": "alice", "exp": 2_000 }))?;
/// let mut scratch = Scratch::default();
/// let verified = verifier.verify::<Claims<'_>>(&token, 1_000, &mut scratch)?;
/// assert_eq!(verified.claims.sub, "alice");
/// # Ok::<(), carnet_jose::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Scratch {
    header: Vec<u8>,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl Scratch {
    /// The payload that was decoded last.
    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }
}

/// Who signed a token.
struct Signed {
    algorithm: Algorithm,
    key_id: Option<Arc<str>>,
}

impl Verifier {
    pub(super) fn with(source: Box<dyn KeySource>, policy: Policy) -> Self {
        Self {
            source,
            policy,
            headers: KnownHeaders::default(),
        }
    }

    /// Checks a token (RFC 7519 §7.2, RFC 7515 §5.2) at `now` (seconds since 1970); the claims may borrow from `scratch`.
    ///
    /// A type that borrows costs no heap at all once `scratch` has seen a token of that size.
    ///
    /// # Errors
    ///
    /// Whatever of [`Error`] is said of tokens, from [`Error::TokenTooLarge`] to [`Error::IssuedInFuture`]: the first that is found.
    pub fn verify<'s, C: Deserialize<'s>>(
        &self,
        token: &str,
        now: u64,
        scratch: &'s mut Scratch,
    ) -> Result<Verified<'s, C>, Error> {
        let signed = self.check_signature(token, scratch)?;
        let payload = scratch.payload.as_slice();
        if let Some((claims, registered)) = read_at_once(payload, &self.policy.ticks) {
            let issued_in_future = self.check_claims(&registered, now)?;
            return Ok(signed.verified(claims, registered, issued_in_future));
        }
        // Something is odd: step by step, to say what, or to find that only the caller's type is.
        check_object(payload, MAX_DEPTH)?;
        let registered = Registered::read(payload)?;
        let issued_in_future = self.check_claims(&registered, now)?;
        self.check_required(&registered, payload)?;
        let claims = serde_json::from_slice(payload).map_err(|_| Error::ClaimsInvalid)?;
        Ok(signed.verified(claims, registered, issued_in_future))
    }

    /// As [`Verifier::verify`] (RFC 7519 §7.2), with claims that own what they say.
    ///
    /// # Errors
    ///
    /// As [`Verifier::verify`].
    pub fn verify_owned<C: DeserializeOwned>(
        &self,
        token: &str,
        now: u64,
    ) -> Result<Verified<'static, C>, Error> {
        self.verify_and(token, now, |verified| verified.into_owned())
    }

    /// As [`Verifier::verify`], in the memory of this thread: of what is found there stays what `keep` makes of it.
    pub(super) fn verify_and<C: DeserializeOwned, T>(
        &self,
        token: &str,
        now: u64,
        keep: impl FnOnce(Verified<'_, C>) -> T,
    ) -> Result<T, Error> {
        SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
            Ok(mut scratch) => self.verify(token, now, &mut scratch).map(keep),
            // A `Deserialize` of the caller's that verifies another token.
            Err(_) => self.verify(token, now, &mut Scratch::default()).map(keep),
        })
    }

    /// [`KeySet::epoch`](crate::KeySet::epoch) of the keys that tokens are checked with now. Our own.
    ///
    /// # Errors
    ///
    /// [`Error::KeysUnavailable`], or what else the source answers.
    pub fn epoch(&self) -> Result<u64, Error> {
        self.source.current_epoch()
    }

    /// Leaves the decoded payload in `scratch`, after the signature over it has been checked.
    fn check_signature(&self, token: &str, scratch: &mut Scratch) -> Result<Signed, Error> {
        let segments = Segments::split(token)?;
        if let Ok(epoch) = self.source.current_epoch() {
            let headers = self.headers.now();
            if let Some(known) = headers.iter().find(|known| known.is(segments.header, epoch)) {
                check_with(&known.key, &segments, scratch)?;
                return Ok(Signed {
                    algorithm: known.algorithm,
                    key_id: known.key_id.clone(),
                });
            }
        }
        self.check_new_header(&segments, scratch)
    }

    fn check_new_header(&self, segments: &Segments<'_>, scratch: &mut Scratch) -> Result<Signed, Error> {
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
        let (name, key) = keys.find_named(header.key_id.as_deref(), algorithm)?;
        check_with(key, segments, scratch)?;
        // Not as the header says: who has stolen a key would leave its name out when that is taken back.
        let key_id: Option<Arc<str>> = match name {
            Some(name) => Some(name.into()),
            None => key.thumbprint().ok().map(Arc::from),
        };
        let known = (algorithm, key_id.clone(), key.clone());
        self.headers
            .add(KnownHeader::new(segments.header, keys.epoch(), known));
        Ok(Signed { algorithm, key_id })
    }

    /// Answers whether `iat` lies in the future.
    fn check_claims(&self, claims: &Registered<'_>, now: u64) -> Result<bool, Error> {
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
            if !policy.audiences.iter().any(|ours| claims.aud.contains(ours)) {
                return Err(Error::AudienceMismatch);
            }
        }
        self.check_times(claims.times(), now)
    }

    pub(super) fn check_times(&self, times: Times, now: u64) -> Result<bool, Error> {
        let policy = &self.policy;
        if policy.expiry && times.exp.is_none() {
            return Err(Error::ClaimMissing);
        }
        // §4.1.4: on or after `exp` the token is refused.
        let is_over = |exp: u64| now >= exp.saturating_add(policy.leeway);
        if !policy.expired_too && times.exp.is_some_and(is_over) {
            return Err(Error::Expired);
        }
        let to_come = |time: u64| now.saturating_add(policy.leeway) < time;
        if times.nbf.is_some_and(to_come) {
            return Err(Error::NotYetValid);
        }
        let issued_in_future = times.iat.is_some_and(to_come);
        if let Some(age) = policy.max_age {
            let iat = times.iat.ok_or(Error::ClaimMissing)?;
            if issued_in_future {
                return Err(Error::IssuedInFuture);
            }
            if now > iat.saturating_add(age).saturating_add(policy.leeway) {
                return Err(Error::TokenTooOld);
            }
        }
        Ok(issued_in_future)
    }

    fn check_required(&self, claims: &Registered<'_>, payload: &[u8]) -> Result<(), Error> {
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

impl Signed {
    fn verified<C>(self, claims: C, registered: Registered<'_>, issued_in_future: bool) -> Verified<'_, C> {
        Verified {
            claims,
            registered,
            key_id: self.key_id,
            algorithm: self.algorithm,
            issued_in_future,
        }
    }
}

impl<C> Verified<'_, C> {
    /// The same (RFC 7519 §7.2), borrowing nothing but what `C` borrows.
    pub fn into_owned(self) -> Verified<'static, C> {
        Verified {
            claims: self.claims,
            registered: self.registered.into_owned(),
            key_id: self.key_id,
            algorithm: self.algorithm,
            issued_in_future: self.issued_in_future,
        }
    }
}

/// The signature first; the payload is not decoded before it is known to be the signer's.
pub(super) fn check_with(
    key: &AnyVerifyingKey,
    segments: &Segments<'_>,
    scratch: &mut Scratch,
) -> Result<(), Error> {
    let signed = segments.signed.as_bytes();
    let algorithm = key.algorithm();
    if algorithm.is_ml_dsa() {
        base64url::decode_into(segments.signature, &mut scratch.signature)?;
        key.verify(signed, &scratch.signature)?;
    } else if algorithm.is_rsa() {
        let mut array = [0; MAX_RSA_SIGNATURE_BYTES];
        key.verify(
            signed,
            base64url::decode_signature(segments.signature, &mut array)?,
        )?;
    } else {
        let mut array = [0; MAX_SHORT_SIGNATURE_BYTES];
        key.verify(
            signed,
            base64url::decode_signature(segments.signature, &mut array)?,
        )?;
    }
    base64url::decode_into(segments.payload, &mut scratch.payload)
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("issuer", &self.policy.issuer)
            .field("audiences", &self.policy.audiences)
            .finish_non_exhaustive()
    }
}
