//! Tokens that were accepted a moment ago need no second look at their signature.
//!
//! Spec: RFC 7519 §4.1.4, §4.1.5 (times hold at every use) · RFC 9700 §4.9.2 (a token that was taken back)

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::Cache;
use serde::de::DeserializeOwned;

use crate::crypto::primitive::sha256;
use crate::error::Error;
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
/// verifier.forget(|token| token.registered.sub.as_deref() == Some("alice"));
/// assert!(!Arc::ptr_eq(&first, &verifier.verify(&token, 1_000)?));
/// # Ok::<(), carnet_jose::Error>(())
/// ```
pub struct CachedVerifier<C> {
    verifier: Verifier,
    /// `None`: nothing is remembered.
    accepted: Option<Cache<[u8; 32], Accepted<C>>>,
    /// How often something was forgotten: what was checked before must not be remembered after.
    forgotten: AtomicU64,
}

struct Accepted<C> {
    /// Of the keys that it was checked with.
    epoch: u64,
    verified: Arc<Verified<'static, C>>,
}

impl<C> Clone for Accepted<C> {
    fn clone(&self) -> Self {
        Self {
            epoch: self.epoch,
            verified: self.verified.clone(),
        }
    }
}

impl<C: DeserializeOwned> CachedVerifier<C> {
    /// Remembers as many tokens as this; those that are used least go first. With 0 it remembers none, and takes no time to look. Our own.
    pub fn new(verifier: Verifier, capacity: usize) -> Self {
        Self {
            verifier,
            accepted: (capacity > 0).then(|| Cache::new(capacity)),
            forgotten: AtomicU64::new(0),
        }
    }

    /// As [`Verifier::verify_owned`] (RFC 7519 §7.2), at `now` (seconds since 1970).
    ///
    /// # Errors
    ///
    /// As [`Verifier::verify`]; [`Error::KeysUnavailable`] also for what is remembered.
    pub fn verify(&self, token: &str, now: u64) -> Result<Arc<Verified<'static, C>>, Error> {
        let Some(accepted) = &self.accepted else {
            return self.verifier.verify_owned(token, now).map(Arc::new);
        };
        let name = sha256(token.as_bytes());
        // Without keys there is no yes, not even a remembered one.
        let epoch = self.verifier.epoch()?;
        if let Some(known) = accepted.get(&name).filter(|known| known.epoch == epoch) {
            self.verifier.check_times(&known.verified.registered, now)?;
            return Ok(known.verified);
        }
        let forgotten = self.forgotten.load(Ordering::Acquire);
        let verified = Arc::new(self.verifier.verify_owned(token, now)?);
        // The epoch was read before the keys were: should they have changed between, this one is forgotten at once.
        let known = Accepted {
            epoch,
            verified: verified.clone(),
        };
        accepted.insert(name, known);
        if self.forgotten.load(Ordering::Acquire) != forgotten {
            accepted.remove(&name);
        }
        Ok(verified)
    }

    /// Forgets the tokens that `revoked` names, by `jti`, `sid`, `sub`, key or whatever they say. They are checked anew when they
    /// come back, which does not refuse them: whoever takes tokens back keeps a list of them as well. Our own.
    pub fn forget(&self, revoked: impl Fn(&Verified<'static, C>) -> bool) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        if let Some(accepted) = &self.accepted {
            accepted.retain(|_, known| !revoked(&known.verified));
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

impl<C> std::fmt::Debug for CachedVerifier<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CachedVerifier")
            .field("verifier", &self.verifier)
            .finish_non_exhaustive()
    }
}
