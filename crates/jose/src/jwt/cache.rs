//! Tokens that were accepted a moment ago need no second look at their signature.
//!
//! Spec: RFC 7519 §4.1.4, §4.1.5 (times hold at every use) · RFC 9700 §4.9.2 (a token that was taken back)

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde::de::DeserializeOwned;

use crate::algorithm::Algorithm;
use crate::crypto::primitive::sha256;
use crate::error::Error;
use crate::jwt::claims::Times;
use crate::jwt::verify::{Verified, Verifier};

/// A [`Verifier`] that remembers what it accepted. Our own.
///
/// Found by the SHA-256 of the whole token, so nobody who reads the memory finds a token. `exp`, `nbf` (RFC 7519 §4.1.4, §4.1.5) and
/// the age are checked at every use; a change of the keys makes it forget everything; [`CachedVerifier::forget`] takes single tokens
/// back. What was refused is not remembered.
///
/// Worth its memory where the signature costs more than a hash: not for HS256, and never for tokens that may be used once.
///
/// ```
/// use std::sync::Arc;
/// use carnet_jose::{Algorithm, AnySigningKey, CachedVerifier, KeySet, Signer, TokenType, Verifier};
///
/// let key = AnySigningKey::generate(Algorithm::Es256)?;
/// let verifier = Verifier::builder(Arc::new(KeySet::pinned(key.verifying_key())?))
///     .algorithms(&[Algorithm::Es256])
///     .token_type(TokenType::Jwt)
///     .without_issuer_check()
///     .without_audience_check()
///     .build()?;
/// let verifier = CachedVerifier::<serde_json::Value>::new(verifier, 10_000);
/// let token = Signer::new(key, TokenType::Jwt, None)?.sign(&serde_json::json!({ "sub": "alice", "exp": 2_000 }))?;
/// let first = verifier.verify(&token, 1_000)?;
/// let second = verifier.verify(&token, 1_000)?;
/// assert!(Arc::ptr_eq(&first, &second));
/// verifier.forget(|token| token.claims["sub"] == "alice");
/// assert!(!Arc::ptr_eq(&first, &verifier.verify(&token, 1_000)?));
/// # Ok::<(), carnet_jose::Error>(())
/// ```
pub struct CachedVerifier<C> {
    verifier: Verifier,
    /// `None`: nothing is remembered.
    accepted: Option<Cache<[u8; 32], Known<C>, BySize>>,
    /// How often something was forgotten: what was checked before must not be remembered after.
    forgotten: AtomicU64,
}

/// A token that was accepted (RFC 7519 §7.2), as it is remembered: of the registered claims nothing is kept but the times. Who wants more of them
/// has them in `C`.
#[derive(Clone, Debug)]
pub struct Accepted<C> {
    /// Everything it says, in the caller's type (RFC 7519 §4).
    pub claims: C,
    /// Its times (RFC 7519 §4.1.4 to §4.1.6).
    pub times: Times,
    /// As [`Verified::key_id`].
    pub key_id: Option<Arc<str>>,
    /// The algorithm it is signed with (RFC 7515 §4.1.1).
    pub algorithm: Algorithm,
    /// As [`Verified::issued_in_future`], when its signature was checked.
    pub issued_in_future: bool,
    /// For how many tokens of ordinary size it counts.
    weight: u32,
}

/// What is remembered of a token.
struct Known<C> {
    /// Of the keys that it was checked with.
    epoch: u64,
    token: Arc<Accepted<C>>,
}

impl<C> Clone for Known<C> {
    fn clone(&self) -> Self {
        Self {
            epoch: self.epoch,
            token: self.token.clone(),
        }
    }
}

/// A large token counts for several: what is remembered is bounded in bytes, however much an issuer writes into its tokens.
#[derive(Clone)]
struct BySize;

impl<C> Weighter<[u8; 32], Known<C>> for BySize {
    fn weight(&self, _: &[u8; 32], known: &Known<C>) -> u64 {
        known.token.weight.into()
    }
}

/// Most tokens are smaller.
const ORDINARY_BYTES: usize = 2 * 1024;

impl<C: DeserializeOwned> CachedVerifier<C> {
    /// Remembers as many tokens as this of up to 2 KiB, a larger one in the place of several; those that are used least go first, and one that
    /// came once makes none go that came twice. With 0 it remembers none, and takes no time to look. Our own.
    pub fn new(verifier: Verifier, capacity: usize) -> Self {
        Self {
            verifier,
            accepted: (capacity > 0).then(|| Cache::with_weighter(capacity, capacity as u64, BySize)),
            forgotten: AtomicU64::new(0),
        }
    }

    /// As [`Verifier::verify_owned`] (RFC 7519 §7.2), at `now` (seconds since 1970).
    ///
    /// # Errors
    ///
    /// As [`Verifier::verify`]; [`Error::KeysUnavailable`] also for what is remembered.
    pub fn verify(&self, token: &str, now: u64) -> Result<Arc<Accepted<C>>, Error> {
        let Some(accepted) = &self.accepted else {
            return self.check(token, now);
        };
        let name = sha256(token.as_bytes());
        // Without keys there is no yes, not even a remembered one.
        let epoch = self.verifier.epoch()?;
        if let Some(known) = accepted.get(&name).filter(|known| known.epoch == epoch) {
            self.verifier.check_times(known.token.times, now)?;
            return Ok(known.token);
        }
        let forgotten = self.forgotten.load(Ordering::Acquire);
        let checked = self.check(token, now)?;
        // The epoch was read before the keys were: should they have changed between, this one is forgotten at once.
        let known = Known {
            epoch,
            token: checked.clone(),
        };
        accepted.insert(name, known);
        if self.forgotten.load(Ordering::Acquire) != forgotten {
            accepted.remove(&name);
        }
        Ok(checked)
    }

    fn check(&self, token: &str, now: u64) -> Result<Arc<Accepted<C>>, Error> {
        let mut checked = self
            .verifier
            .verify_and(token, now, |checked| Accepted::from(checked))?;
        checked.weight += u32::try_from(token.len() / ORDINARY_BYTES).unwrap_or(u32::MAX - 1);
        Ok(Arc::new(checked))
    }

    /// Forgets the tokens that `revoked` names, by `jti`, `sid`, `sub`, key or whatever they say. They are checked anew when they
    /// come back, which does not refuse them: whoever takes tokens back keeps a list of them as well. Our own.
    pub fn forget(&self, revoked: impl Fn(&Accepted<C>) -> bool) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        if let Some(accepted) = &self.accepted {
            accepted.retain(|_, known| !revoked(&known.token));
        }
    }

    /// How many tokens are remembered. Our own.
    pub fn len(&self) -> usize {
        self.accepted.as_ref().map_or(0, Cache::len)
    }

    /// Whether none is. Our own.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<C> From<Verified<'_, C>> for Accepted<C> {
    fn from(verified: Verified<'_, C>) -> Self {
        Self {
            claims: verified.claims,
            times: verified.registered.times(),
            key_id: verified.key_id,
            algorithm: verified.algorithm,
            issued_in_future: verified.issued_in_future,
            weight: 1,
        }
    }
}

impl<C> std::fmt::Debug for CachedVerifier<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CachedVerifier")
            .field("verifier", &self.verifier)
            .finish_non_exhaustive()
    }
}
