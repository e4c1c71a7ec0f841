//! Keys that check signatures.
//!
//! Spec: RFC 5280 §4.1.2.7 (SPKI) · RFC 7517 §4

use std::fmt;
use std::sync::Arc;

use spki::SubjectPublicKeyInfoRef;

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::crypto::verify::CheckingKey;
use crate::error::Error;
use crate::jwk::Jwk;
use crate::key::pem::{self, Pem};
use crate::key::shared_secret::check_secret;
use crate::key::{from_jwk, roca, small_order, subject_public_key_info};
use crate::thumbprint;

/// A key that checks, of any algorithm, and bound to it (RFC 8725 §3.1). Cloning shares the prepared key.
///
/// ```
/// use carnet_jose::{Algorithm, AnySigningKey, AnyVerifyingKey, Error};
///
/// let key = AnySigningKey::generate(Algorithm::Ed25519)?;
/// let public = AnyVerifyingKey::from_pem(&key.verifying_key().to_spki_pem()?, Algorithm::Ed25519)?;
/// let signature = key.sign(b"message")?;
/// assert_eq!(public.verify(b"message", &signature), Ok(()));
/// assert_eq!(public.verify(b"another", &signature), Err(Error::SignatureInvalid));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct AnyVerifyingKey {
    algorithm: Algorithm,
    key: Arc<CheckingKey>,
}

impl AnyVerifyingKey {
    /// From PEM: `PUBLIC KEY` (SPKI, RFC 7468 §13) or `RSA PUBLIC KEY` (PKCS#1, RFC 8017 A.1.1).
    ///
    /// # Errors
    ///
    /// Those of [`AnyVerifyingKey::from_spki_der`]; [`Error::KeyUnsupported`] for any other label.
    pub fn from_pem(text: &str, algorithm: Algorithm) -> Result<Self, Error> {
        match pem::read(text)? {
            Pem::Public(der) => Self::from_spki_der(&der, algorithm),
            Pem::RsaPublic(_) if !algorithm.is_rsa() => Err(Error::KeyMismatch),
            Pem::RsaPublic(der) => {
                pkcs1::RsaPublicKeyRef::try_from(der.as_slice()).map_err(|_| Error::KeyInvalid)?;
                Self::from_public(&der, algorithm)
            }
            _ => Err(Error::KeyUnsupported),
        }
    }

    /// From SubjectPublicKeyInfo in DER (RFC 5280 §4.1.2.7).
    ///
    /// # Errors
    ///
    /// [`Error::KeyInvalid`] when it cannot be read, [`Error::KeyMismatch`] when it is for a key of another kind than the algorithm's. Of
    /// RSA: [`Error::KeyTooShort`] outside 2,048 to 8,192 bits, [`Error::KeyInvalid`] when the exponent is even or below 65,537,
    /// [`Error::KeyWeak`] from a broken generator. Of Ed25519: [`Error::KeyWeak`] when the point is of small order.
    pub fn from_spki_der(der: &[u8], algorithm: Algorithm) -> Result<Self, Error> {
        subject_public_key_info::check(der, algorithm)?;
        Self::from_public(der, algorithm)
    }

    /// From a JWK (RFC 7517 §4) that names its algorithm (RFC 7517 §4.4), or whose curve leaves one choice.
    ///
    /// # Errors
    ///
    /// [`Error::KeyUnsupported`] when its algorithm is unknown or cannot be told; those of [`AnyVerifyingKey::from_jwk_as`].
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, Error> {
        Self::from_jwk_as(jwk, from_jwk::algorithm(jwk)?)
    }

    /// From a JWK, for this algorithm (RFC 7518 §6.2.1, §6.3.1, §6.4, RFC 8037 §2, RFC 9964 §3).
    ///
    /// # Errors
    ///
    /// [`Error::KeyMismatch`] when its type, curve or `alg` is another; [`Error::KeyUnsupported`] when `use` or `key_ops` forbids it
    /// (RFC 7517 §4.2, §4.3); [`Error::KeyInvalid`], [`Error::KeyTooShort`], [`Error::KeyWeak`] and [`Error::KeyLooksPublic`].
    pub fn from_jwk_as(jwk: &Jwk, algorithm: Algorithm) -> Result<Self, Error> {
        from_jwk::check(jwk, algorithm)?;
        if algorithm.is_mac() {
            return Self::from_secret(&jwk.bytes("k")?, algorithm);
        }
        let bytes = from_jwk::public_bytes(jwk, algorithm)?;
        Self::from_public(&bytes, algorithm)
    }

    /// From a shared secret, for HS256, HS384 and HS512: at least as long as the hash (RFC 7518 §3.2).
    ///
    /// # Errors
    ///
    /// [`Error::KeyTooShort`]; [`Error::KeyLooksPublic`] for a key file by mistake; [`Error::KeyMismatch`] for other algorithms.
    pub fn from_secret(secret: &[u8], algorithm: Algorithm) -> Result<Self, Error> {
        check_secret(secret, algorithm)?;
        Ok(Self {
            algorithm,
            key: Arc::new(CheckingKey::mac(secret, algorithm)?),
        })
    }

    /// From SPKI DER, PKCS#1 DER (RSA), an uncompressed point (EC) or raw bytes (OKP, AKP).
    fn from_public(bytes: &[u8], algorithm: Algorithm) -> Result<Self, Error> {
        // Before the library looks: it says of a weak key no more than that it cannot be read.
        if algorithm.is_rsa() {
            check_strength(bytes)?;
        }
        if algorithm == Algorithm::Ed25519 && small_order::is_small_order(bytes) {
            return Err(Error::KeyWeak);
        }
        Self::from_checking_key(CheckingKey::public(bytes, algorithm)?, algorithm)
    }

    pub(super) fn from_checking_key(key: CheckingKey, algorithm: Algorithm) -> Result<Self, Error> {
        let key = Self {
            algorithm,
            key: Arc::new(key),
        };
        if algorithm.is_rsa() {
            check_strength(key.spki()?)?;
        }
        Ok(key)
    }

    /// The one algorithm that it checks (RFC 8725 §3.1).
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Checks a signature over a message (RFC 7515 §5.2), as a JWS has it: of ECDSA both numbers at full length (RFC 7518 §3.4).
    ///
    /// # Errors
    ///
    /// [`Error::SignatureInvalid`].
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        self.key.check(self.algorithm, message, signature)
    }

    /// SubjectPublicKeyInfo in DER (RFC 5280 §4.1.2.7).
    ///
    /// # Errors
    ///
    /// [`Error::KeyUnsupported`] for a shared secret, which has none.
    pub fn to_spki_der(&self) -> Result<&[u8], Error> {
        self.spki()
    }

    /// From DER in whichever of these forms it is: SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), or PKCS#1 (RSA, RFC 8017 A.1.1).
    ///
    /// # Errors
    ///
    /// As [`AnyVerifyingKey::from_spki_der`].
    pub fn from_der(der: &[u8], algorithm: Algorithm) -> Result<Self, Error> {
        if algorithm.is_rsa() && pkcs1::RsaPublicKeyRef::try_from(der).is_ok() {
            return Self::from_public(der, algorithm);
        }
        Self::from_spki_der(der, algorithm)
    }

    /// PKCS#1 as PEM, `RSA PUBLIC KEY` (RFC 8017 A.1.1), for older programs.
    ///
    /// # Errors
    ///
    /// [`Error::KeyUnsupported`] for other keys than RSA, which have none.
    pub fn to_pkcs1_pem(&self) -> Result<String, Error> {
        if !self.algorithm.is_rsa() {
            return Err(Error::KeyUnsupported);
        }
        let info = SubjectPublicKeyInfoRef::try_from(self.spki()?).map_err(|_| Error::KeyInvalid)?;
        let bits = info.subject_public_key.as_bytes().ok_or(Error::KeyInvalid)?;
        pem::write("RSA PUBLIC KEY", bits)
    }

    /// SubjectPublicKeyInfo as PEM, `PUBLIC KEY` (RFC 7468 §13).
    ///
    /// # Errors
    ///
    /// [`Error::KeyUnsupported`] for a shared secret, which has none.
    pub fn to_spki_pem(&self) -> Result<String, Error> {
        pem::write("PUBLIC KEY", self.spki()?)
    }

    /// The public JWK (RFC 7518 §6.2.1, §6.3.1, RFC 8037 §2, RFC 9964 §3) with `alg` (RFC 7517 §4.4).
    ///
    /// # Errors
    ///
    /// [`Error::KeyUnsupported`] for a shared secret, which has none.
    pub fn to_jwk(&self) -> Result<Jwk, Error> {
        let info = SubjectPublicKeyInfoRef::try_from(self.spki()?).map_err(|_| Error::KeyInvalid)?;
        let bits = info.subject_public_key.as_bytes().ok_or(Error::KeyInvalid)?;
        let text = |bytes: &[u8]| serde_json::Value::from(base64url::encode(bytes));
        let jwk = if self.algorithm.is_ml_dsa() {
            Jwk::from_members([("kty", "AKP".into()), ("pub", text(bits))])
        } else if self.algorithm.is_rsa() {
            let rsa = pkcs1::RsaPublicKeyRef::try_from(bits).map_err(|_| Error::KeyInvalid)?;
            let (n, e) = (text(rsa.modulus.as_bytes()), text(rsa.public_exponent.as_bytes()));
            Jwk::from_members([("kty", "RSA".into()), ("n", n), ("e", e)])
        } else if self.algorithm == Algorithm::Ed25519 {
            Jwk::from_members([
                ("kty", "OKP".into()),
                ("crv", "Ed25519".into()),
                ("x", text(bits)),
            ])
        } else {
            let length = self.algorithm.coordinate_len();
            let (tag, coordinates) = bits.split_first().ok_or(Error::KeyInvalid)?;
            let (x, y) = coordinates
                .split_at_checked(length)
                .filter(|(_, y)| y.len() == length && *tag == 4)
                .ok_or(Error::KeyInvalid)?;
            let curve = self.algorithm.curve().ok_or(Error::KeyInvalid)?;
            Jwk::from_members([
                ("kty", "EC".into()),
                ("crv", curve.into()),
                ("x", text(x)),
                ("y", text(y)),
            ])
        };
        Ok(jwk.with("alg", self.algorithm.name()))
    }

    /// The thumbprint (RFC 7638 §3; OKP: RFC 8037 §2, AKP: RFC 9964 §6), in base64url.
    ///
    /// # Errors
    ///
    /// [`Error::KeyUnsupported`] for a shared secret: [`AnySigningKey::thumbprint`](crate::AnySigningKey::thumbprint) gives its own.
    pub fn thumbprint(&self) -> Result<String, Error> {
        thumbprint::of(&self.to_jwk()?)
    }

    fn spki(&self) -> Result<&[u8], Error> {
        match self.key.as_ref() {
            CheckingKey::Public { spki, .. } => Ok(spki),
            CheckingKey::Mac(_) => Err(Error::KeyUnsupported),
        }
    }
}

/// RSA: 2,048 to 8,192 bits, an odd exponent of 65,537 or more (RFC 7518 §3.3, RFC 8725 §3.5), no broken generator.
fn check_strength(public: &[u8]) -> Result<(), Error> {
    let info = SubjectPublicKeyInfoRef::try_from(public).ok();
    let bits = info.as_ref().and_then(|info| info.subject_public_key.as_bytes());
    let rsa = pkcs1::RsaPublicKeyRef::try_from(bits.unwrap_or(public)).map_err(|_| Error::KeyInvalid)?;
    let modulus = rsa.modulus.as_bytes();
    let zeros = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
    if !(2048..=8192).contains(&(modulus.len() * 8 - zeros)) {
        return Err(Error::KeyTooShort);
    }
    let exponent = rsa.public_exponent.as_bytes();
    let large = exponent.len() > 3 || exponent >= [1, 0, 1].as_slice() && exponent.len() == 3;
    let odd = exponent.last().is_some_and(|byte| byte & 1 == 1);
    if !large || !odd {
        return Err(Error::KeyInvalid);
    }
    if roca::has_fingerprint(modulus) {
        return Err(Error::KeyWeak);
    }
    Ok(())
}

impl fmt::Debug for AnyVerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnyVerifyingKey({})", self.algorithm)
    }
}
