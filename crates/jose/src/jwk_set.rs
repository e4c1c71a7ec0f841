//! Sets of keys: immutable, so that a token is checked against one state of them; and where sets come from.
//!
//! Spec: RFC 7517 §5 · RFC 8725 §3.10 (kid)

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use serde::Deserialize;

use crate::algorithm::Algorithm;
use crate::error::Error;
use crate::json::{MAX_DEPTH, check_object};
use crate::jwk::Jwk;
use crate::key::AnyVerifyingKey;

/// The largest JWKS that is read, in bytes. Our own limit: RFC 7517 §5 sets none.
pub const MAX_SET_BYTES: usize = 1024 * 1024;
/// The most keys that a JWKS may have. Our own limit: RFC 7517 §5.1 sets none.
pub const MAX_SET_KEYS: usize = 100;
/// The longest `kid` that is signed with or looked up, in bytes. Our own limit: RFC 7515 §4.1.4 sets none.
pub const MAX_KEY_ID_BYTES: usize = 128;

/// Keys that check (RFC 7517 §5), each found by its `kid` and its one algorithm.
///
/// ```
/// use carnet_jose::{Algorithm, AnySigningKey, Error, KeySet};
///
/// let key = AnySigningKey::generate(Algorithm::Es256)?.verifying_key();
/// let set = KeySet::new(vec![(Some("k1".into()), key)])?;
/// assert_eq!(set.find(Some("k1"), Algorithm::Es256)?.algorithm(), Algorithm::Es256);
/// assert_eq!(set.find(Some("k2"), Algorithm::Es256).unwrap_err(), Error::UnknownKeyId);
/// # Ok::<(), Error>(())
/// ```
pub struct KeySet {
    keys: Vec<(Option<String>, AnyVerifyingKey)>,
    by_id: HashMap<String, Vec<usize>>,
    /// One key that was chosen by hand: whatever a token calls it, no other can be meant.
    pinned: bool,
    epoch: u64,
}

/// A JWKS (RFC 7517 §5) as it was read: the keys that can be used, and what was passed over.
#[derive(Debug)]
pub struct ParsedKeySet {
    /// The usable keys (RFC 7517 §5.1).
    pub set: KeySet,
    /// Keys of types, curves, algorithms or uses that are not for us. One odd key does not break a set (RFC 7517 §5).
    pub skipped: Vec<SkippedKey>,
}

/// A key of a JWKS that is not used (RFC 7517 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    /// Its name, when it has one (RFC 7517 §4.5).
    pub kid: Option<String>,
    /// Why it is not used. Our own.
    pub reason: Error,
}

static NEXT_EPOCH: AtomicU64 = AtomicU64::new(1);

impl KeySet {
    /// A set of these keys and names (RFC 7517 §4.5).
    ///
    /// # Errors
    ///
    /// [`Error::SymmetricKeyInSet`] for shared secrets beside public keys, [`Error::DuplicateKeyId`] for a `kid` that stands twice for one
    /// algorithm, [`Error::SetTooLarge`] for more than [`MAX_SET_KEYS`] for each algorithm there is.
    pub fn new(keys: Vec<(Option<String>, AnyVerifyingKey)>) -> Result<Self, Error> {
        if keys.len() > MAX_SET_KEYS * Algorithm::ALL.len() {
            return Err(Error::SetTooLarge);
        }
        let macs = keys.iter().filter(|(_, key)| key.algorithm().is_mac()).count();
        if macs != 0 && macs != keys.len() {
            return Err(Error::SymmetricKeyInSet);
        }
        let mut by_id: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, (kid, key)) in keys.iter().enumerate() {
            let Some(kid) = kid else { continue };
            let same = by_id.entry(kid.clone()).or_default();
            if same
                .iter()
                .filter_map(|i| keys.get(*i))
                .any(|(_, other)| other.algorithm() == key.algorithm())
            {
                return Err(Error::DuplicateKeyId);
            }
            same.push(index);
        }
        Ok(Self {
            keys,
            by_id,
            pinned: false,
            epoch: NEXT_EPOCH.fetch_add(1, Ordering::Relaxed),
        })
    }

    /// No key at all: every token is refused. Our own, for the time before a JWKS is there.
    pub fn empty() -> Self {
        Self {
            keys: Vec::new(),
            by_id: HashMap::new(),
            pinned: false,
            epoch: NEXT_EPOCH.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// The one key that somebody put into a file: a token's `kid` (RFC 7515 §4.1.4) is not looked at, since there is nothing to choose.
    /// Our own.
    ///
    /// # Errors
    ///
    /// As [`KeySet::new`].
    pub fn pinned(key: AnyVerifyingKey) -> Result<Self, Error> {
        Ok(Self {
            pinned: true,
            ..Self::new(vec![(None, key)])?
        })
    }

    /// Reads a JWKS that somebody else publishes (RFC 7517 §5).
    ///
    /// Private and symmetric keys refuse the whole set (RFC 7517 §9.2), keys that are not for us are skipped. An RSA key without `alg` is
    /// taken for each RSA algorithm of `allowed`.
    ///
    /// ```
    /// use carnet_jose::{Algorithm, AnySigningKey, KeySet};
    ///
    /// let key = AnySigningKey::generate(Algorithm::Es256)?;
    /// let jwk = key.verifying_key().to_jwk()?.with_kid("k1");
    /// let jwks = format!(r#"{{"keys":[{}]}}"#, serde_json::to_string(&jwk).unwrap());
    /// let parsed = KeySet::from_jwks_json(jwks.as_bytes(), &[Algorithm::Es256])?;
    /// assert_eq!(parsed.set.kids().collect::<Vec<_>>(), ["k1"]);
    /// # Ok::<(), carnet_jose::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::PrivateKeyInSet`], [`Error::SymmetricKeyInSet`], [`Error::DuplicateKeyId`], [`Error::SetTooLarge`]; for what is no JWKS
    /// [`Error::JsonInvalid`], [`Error::DuplicateMember`] and [`Error::KeyInvalid`].
    pub fn from_jwks_json(bytes: &[u8], allowed: &[Algorithm]) -> Result<ParsedKeySet, Error> {
        #[derive(Deserialize)]
        struct Jwks {
            keys: Vec<Jwk>,
        }
        if bytes.len() > MAX_SET_BYTES {
            return Err(Error::SetTooLarge);
        }
        check_object(bytes, MAX_DEPTH)?;
        let jwks: Jwks = serde_json::from_slice(bytes).map_err(|_| Error::KeyInvalid)?;
        if jwks.keys.len() > MAX_SET_KEYS {
            return Err(Error::SetTooLarge);
        }
        let mut keys = Vec::new();
        let mut skipped = Vec::new();
        let mut names = std::collections::HashSet::new();
        for jwk in &jwks.keys {
            if jwk.key_type() == Some("oct") {
                return Err(Error::SymmetricKeyInSet);
            }
            if jwk.is_private() {
                return Err(Error::PrivateKeyInSet);
            }
            let kid = jwk.key_id().map(str::to_owned);
            match usable(jwk, allowed) {
                Ok(usable) => {
                    if kid.as_ref().is_some_and(|kid| !names.insert(kid.clone())) {
                        return Err(Error::DuplicateKeyId);
                    }
                    keys.extend(usable.into_iter().map(|key| (kid.clone(), key)));
                }
                Err(reason) => skipped.push(SkippedKey { kid, reason }),
            }
        }
        Ok(ParsedKeySet {
            set: Self::new(keys)?,
            skipped,
        })
    }

    /// The key of this name (RFC 7515 §4.1.4) for this algorithm (RFC 8725 §3.1). Without a name, the only key that fits.
    ///
    /// # Errors
    ///
    /// [`Error::KeyIdMissing`] when not exactly one fits, [`Error::UnknownKeyId`], [`Error::AlgorithmMismatch`].
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&AnyVerifyingKey, Error> {
        self.find_named(kid, algorithm).map(|(_, key)| key)
    }

    /// As [`KeySet::find`], with the name that the key has here, whatever the token says.
    pub(crate) fn find_named(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<(Option<&str>, &AnyVerifyingKey), Error> {
        let Some(kid) = kid.filter(|_| !self.pinned) else {
            let mut fitting = self.keys.iter().filter(|(_, key)| key.algorithm() == algorithm);
            return match (fitting.next(), fitting.next()) {
                (Some((name, key)), None) => Ok((name.as_deref(), key)),
                _ => Err(Error::KeyIdMissing),
            };
        };
        let (name, _) = self.by_id.get_key_value(kid).ok_or(Error::UnknownKeyId)?;
        let key = self.get(kid, algorithm).ok_or(Error::AlgorithmMismatch)?;
        Ok((Some(name), key))
    }

    /// The key of exactly this name (RFC 7517 §4.5) and algorithm, without the rules for tokens that [`KeySet::find`] has.
    pub fn get(&self, kid: &str, algorithm: Algorithm) -> Option<&AnyVerifyingKey> {
        let named = self.by_id.get(kid)?;
        let mut keys = named.iter().filter_map(|index| self.keys.get(*index));
        keys.find_map(|(_, key)| (key.algorithm() == algorithm).then_some(key))
    }

    /// The names of the keys that have one (RFC 7517 §4.5), in no order.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(String::as_str)
    }

    /// Differs between any two sets of this process: what was cached under another epoch no longer holds. Our own.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many keys there are (RFC 7517 §5.1). An RSA key without `alg` counts once for each algorithm that it is taken for.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key at all (RFC 7517 §5.1).
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The set as a JWKS (RFC 7517 §5), each key with `use: sig` (RFC 7517 §4.2).
    ///
    /// # Errors
    ///
    /// [`Error::KeyUnsupported`] for shared secrets, which cannot be published.
    pub fn to_jwks_json(&self) -> Result<String, Error> {
        let jwk = |(kid, key): &(Option<String>, AnyVerifyingKey)| {
            let jwk = key.to_jwk()?.with_use_sig();
            Ok(kid.iter().fold(jwk, |jwk, kid| jwk.with_kid(kid)))
        };
        let keys = self.keys.iter().map(jwk).collect::<Result<Vec<_>, Error>>()?;
        serde_json::to_string(&serde_json::json!({ "keys": keys })).map_err(|_| Error::KeyInvalid)
    }
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeySet")
            .field("keys", &self.keys)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

fn usable(jwk: &Jwk, allowed: &[Algorithm]) -> Result<Vec<AnyVerifyingKey>, Error> {
    jwk.check_types()?;
    if !jwk.is_for_signatures() {
        return Err(Error::KeyUnsupported);
    }
    if jwk.key_type() == Some("RSA") && jwk.algorithm().is_none() {
        let rsa = allowed.iter().filter(|algorithm| algorithm.is_rsa());
        let keys = rsa
            .map(|algorithm| AnyVerifyingKey::from_jwk_as(jwk, *algorithm))
            .collect::<Result<Vec<_>, _>>()?;
        return if keys.is_empty() {
            Err(Error::KeyUnsupported)
        } else {
            Ok(keys)
        };
    }
    let key = AnyVerifyingKey::from_jwk(jwk)?;
    if allowed.contains(&key.algorithm()) {
        Ok(vec![key])
    } else {
        Err(Error::KeyUnsupported)
    }
}

/// Where a verifier gets its keys. Our own: no spec says where keys come from.
///
/// ```
/// use std::sync::{Arc, OnceLock};
/// use carnet_jose::{Error, KeySet, KeySource};
///
/// struct LoadedLater(OnceLock<Arc<KeySet>>);
/// impl KeySource for LoadedLater {
///     fn keys(&self) -> Result<Arc<KeySet>, Error> {
///         self.0.get().cloned().ok_or(Error::KeysUnavailable)
///     }
/// }
/// let source = LoadedLater(OnceLock::new());
/// assert_eq!(source.current_epoch(), Err(Error::KeysUnavailable));
/// source.0.get_or_init(|| Arc::new(KeySet::empty()));
/// assert!(source.current_epoch().is_ok());
/// ```
pub trait KeySource: Send + Sync {
    /// The keys at this moment (RFC 7517 §5). Asked while a token waits: it should answer from memory.
    ///
    /// # Errors
    ///
    /// [`Error::KeysUnavailable`] when they were never loaded.
    fn keys(&self) -> Result<Arc<KeySet>, Error>;

    /// [`KeySet::epoch`] of the keys at this moment. A source that can tell without handing out the keys is asked for less. Our own.
    ///
    /// # Errors
    ///
    /// As [`KeySource::keys`].
    fn current_epoch(&self) -> Result<u64, Error> {
        self.keys().map(|keys| keys.epoch())
    }
}

/// Keys that never change.
impl KeySource for Arc<KeySet> {
    fn keys(&self) -> Result<Arc<KeySet>, Error> {
        Ok(self.clone())
    }

    fn current_epoch(&self) -> Result<u64, Error> {
        Ok((**self).epoch())
    }
}

impl KeySource for Arc<dyn KeySource> {
    fn keys(&self) -> Result<Arc<KeySet>, Error> {
        (**self).keys()
    }

    fn current_epoch(&self) -> Result<u64, Error> {
        (**self).current_epoch()
    }
}

impl KeySource for Arc<RotatingKeys> {
    fn keys(&self) -> Result<Arc<KeySet>, Error> {
        (**self).keys()
    }

    fn current_epoch(&self) -> Result<u64, Error> {
        (**self).current_epoch()
    }
}

/// Keys that are replaced while verifiers use them: the new set of an issuer that rotates its keys. Our own.
///
/// ```
/// use std::sync::Arc;
/// use carnet_jose::{Algorithm, AnySigningKey, Error, KeySet, RotatingKeys, Signer, TokenType, Verifier};
///
/// let keys = Arc::new(RotatingKeys::new(KeySet::empty()));
/// let verifier = Verifier::builder(keys.clone())
///     .algorithms(&[Algorithm::Es256])
///     .token_type(TokenType::Jwt)
///     .without_issuer_check()
///     .without_audience_check()
///     .build()?;
/// let key = AnySigningKey::generate(Algorithm::Es256)?;
/// let set = KeySet::new(vec![(Some("k2".into()), key.verifying_key())])?;
/// let token = Signer::new(key, TokenType::Jwt, Some("k2".into()))?.sign(&serde_json::json!({ "exp": 2_000 }))?;
/// assert_eq!(verifier.verify_owned::<serde_json::Value>(&token, 1_000).unwrap_err(), Error::UnknownKeyId);
/// keys.replace(set);
/// assert!(verifier.verify_owned::<serde_json::Value>(&token, 1_000).is_ok());
/// # Ok::<(), Error>(())
/// ```
pub struct RotatingKeys(ArcSwap<KeySet>);

impl RotatingKeys {
    /// Starts with these keys (RFC 7517 §5).
    pub fn new(set: KeySet) -> Self {
        Self(ArcSwap::from_pointee(set))
    }

    /// From now on these (RFC 7517 §5). Each token is checked against one set, the old one or the new.
    pub fn replace(&self, set: KeySet) {
        self.0.store(Arc::new(set));
    }
}

impl KeySource for RotatingKeys {
    fn keys(&self) -> Result<Arc<KeySet>, Error> {
        Ok(self.0.load_full())
    }

    fn current_epoch(&self) -> Result<u64, Error> {
        Ok(self.0.load().epoch())
    }
}
