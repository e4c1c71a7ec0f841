//! JSON Web Keys: what their members say, before a key is made of them.
//!
//! Spec: RFC 7517 §4 · RFC 7518 §6 · RFC 8037 §2 · RFC 9964 §3

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroize as _;

use crate::error::Error;
use crate::json::{MAX_DEPTH, check_object};

/// A JSON Web Key (RFC 7517 §4). `Debug` shows no key material, and private members that are text are wiped when it is dropped.
///
/// Serde writes every member, private ones too, and reads without the checks of [`Jwk::parse`].
///
/// ```
/// use carnet_jose::{AnyVerifyingKey, Jwk};
///
/// // RFC 8037 A.2, A.3
/// let jwk = Jwk::parse(r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#)?;
/// assert!(!jwk.is_private());
/// assert_eq!(AnyVerifyingKey::from_jwk(&jwk)?.thumbprint()?, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
/// # Ok::<(), carnet_jose::Error>(())
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Jwk {
    members: Map<String, Value>,
}

/// Members that only private and symmetric keys have.
const PRIVATE: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

impl Jwk {
    /// Reads one JSON object (RFC 7517 §4). Whether a key can be made of it is seen when one is made.
    ///
    /// # Errors
    ///
    /// [`Error::JsonInvalid`]; [`Error::DuplicateMember`]; [`Error::KeyInvalid`] when `crv` or a member of RFC 7517 §4.1 to §4.5 has the
    /// wrong type, or `key_ops` says something twice.
    pub fn parse(text: &str) -> Result<Self, Error> {
        check_object(text.as_bytes(), MAX_DEPTH)?;
        let jwk: Self = serde_json::from_str(text).map_err(|_| Error::KeyInvalid)?;
        jwk.check_types()?;
        Ok(jwk)
    }

    /// A member of the wrong type is wrong, not absent: a key whose `alg` is a number is not free for any algorithm.
    pub(crate) fn check_types(&self) -> Result<(), Error> {
        let texts = ["kty", "use", "alg", "kid", "crv"];
        let are_text = texts
            .iter()
            .all(|name| self.members.get(*name).is_none_or(Value::is_string));
        // RFC 7517 §4.3: an array of strings, none of them twice.
        let right_operations = self.members.get("key_ops").is_none_or(|operations| {
            let names = operations
                .as_array()
                .map(|names| names.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
            names.flatten().is_some_and(|names| {
                let different: HashSet<_> = names.iter().collect();
                different.len() == names.len()
            })
        });
        if are_text && right_operations {
            Ok(())
        } else {
            Err(Error::KeyInvalid)
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    pub(crate) fn from_members<const N: usize>(members: [(&str, Value); N]) -> Self {
        Self {
            members: members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        }
    }

    /// The member of this name (RFC 7517 §4), when it is there and a string.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name)?.as_str()
    }

    /// The key type (RFC 7517 §4.1): `RSA`, `EC`, `oct` (RFC 7518 §6.1), `OKP` (RFC 8037 §2), `AKP` (RFC 9964 §3) or one not known here.
    pub fn key_type(&self) -> Option<&str> {
        self.text("kty")
    }

    /// The key's name in its set (RFC 7517 §4.5).
    pub fn key_id(&self) -> Option<&str> {
        self.text("kid")
    }

    /// The algorithm that the key is for, when it says so (RFC 7517 §4.4).
    pub fn algorithm(&self) -> Option<&str> {
        self.text("alg")
    }

    /// Whether it holds anything that must not be published (RFC 7517 §9.2).
    pub fn is_private(&self) -> bool {
        PRIVATE.iter().any(|name| self.members.contains_key(*name))
    }

    /// Whether `use` and `key_ops` allow checking or making signatures (RFC 7517 §4.2, §4.3). What is absent forbids nothing.
    pub fn is_for_signatures(&self) -> bool {
        let right_use = self.members.get("use").is_none_or(|value| value == "sig");
        let right_ops = self.members.get("key_ops").is_none_or(|ops| {
            ops.as_array()
                .is_some_and(|ops| ops.iter().any(|op| op == "verify" || op == "sign"))
        });
        right_use && right_ops
    }

    /// The same with this `kid` (RFC 7517 §4.5).
    pub fn with_kid(mut self, kid: &str) -> Self {
        self.members.insert("kid".to_owned(), kid.into());
        self
    }

    /// The same with `use: sig` (RFC 7517 §4.2).
    pub fn with_use_sig(mut self) -> Self {
        self.members.insert("use".to_owned(), "sig".into());
        self
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// A base64url member as bytes.
    pub(crate) fn bytes(&self, name: &str) -> Result<zeroize::Zeroizing<Vec<u8>>, Error> {
        let text = self.text(name).ok_or(Error::KeyInvalid)?;
        crate::base64url::decode(text)
            .map(zeroize::Zeroizing::new)
            .map_err(|_| Error::KeyInvalid)
    }
}

impl Drop for Jwk {
    /// Private members do not stay in memory.
    fn drop(&mut self) {
        for name in PRIVATE {
            if let Some(Value::String(secret)) = self.members.get_mut(name) {
                secret.zeroize();
            }
        }
    }
}

impl std::fmt::Debug for Jwk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = (self.key_type(), self.algorithm(), self.key_id());
        f.debug_struct("Jwk")
            .field("kty, alg, kid", &names)
            .finish_non_exhaustive()
    }
}
