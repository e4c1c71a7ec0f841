//! Keys that sign.
//!
//! Spec: RFC 5208 (PKCS#8) · RFC 8017 appendix A.1.2 (PKCS#1) · RFC 5915 (SEC1) · RFC 7517 §4 · RFC 7518 §3.2 (length of secrets)

use std::fmt;

use pkcs8::PrivateKeyInfoRef;
use zeroize::Zeroizing;

use crate::algorithm::Algorithm;
use crate::crypto::sign::SecretKey;
use crate::error::Error;
use crate::jwk::Jwk;
use crate::key::pem::{self, Pem};
use crate::key::public::AnyVerifyingKey;
use crate::key::shared_secret::check_secret;
use crate::key::{from_jwk, subject_public_key_info};
use crate::{base64url, thumbprint};

/// A key that signs, of any algorithm, and bound to it (RFC 8725 §3.1). It cannot be cloned, and `Debug` shows its algorithm alone.
///
/// ```
/// use carnet_jose::{Algorithm, AnySigningKey};
///
/// let key = AnySigningKey::generate(Algorithm::Es256)?;
/// let again = AnySigningKey::from_pem(&key.to_pkcs8_pem()?, Algorithm::Es256)?;
/// key.verifying_key().verify(b"message", &again.sign(b"message")?)?;
/// assert_eq!(key.thumbprint()?, again.thumbprint()?);
/// # Ok::<(), carnet_jose::Error>(())
/// ```
pub struct AnySigningKey {
    algorithm: Algorithm,
    key: SecretKey,
    public: AnyVerifyingKey,
}

impl AnySigningKey {
    /// A new key. RSA keys have 3,072 bits (RFC 7518 §3.3 asks for 2,048), secrets the bytes of their hash (RFC 7518 §3.2).
    ///
    /// # Errors
    ///
    /// [`Error::CryptoFailed`].
    pub fn generate(algorithm: Algorithm) -> Result<Self, Error> {
        Self::with(SecretKey::generate(algorithm)?, algorithm)
    }

    /// From PEM: `PRIVATE KEY` (PKCS#8, RFC 7468 §10), `RSA PRIVATE KEY` (PKCS#1, RFC 8017 A.1.2) or `EC PRIVATE KEY` (SEC1, RFC 5915 §4).
    ///
    /// # Errors
    ///
    /// Those of [`AnySigningKey::from_der`]; [`Error::KeyMismatch`] for `RSA PRIVATE KEY` and `EC PRIVATE KEY` with an algorithm of another kind;
    /// [`Error::KeyUnsupported`] for any other label.
    pub fn from_pem(text: &str, algorithm: Algorithm) -> Result<Self, Error> {
        match pem::read(text)? {
            Pem::Private(der) => Self::from_pkcs8_der(&der, algorithm),
            Pem::RsaPrivate(der) if algorithm.is_rsa() => {
                Self::with(SecretKey::from_traditional(&der, algorithm)?, algorithm)
            }
            Pem::EcPrivate(_) if !algorithm.is_ecdsa() => Err(Error::KeyMismatch),
            Pem::EcPrivate(der) => Self::with(SecretKey::from_traditional(&der, algorithm)?, algorithm),
            Pem::RsaPrivate(_) => Err(Error::KeyMismatch),
            Pem::Public(_) | Pem::RsaPublic(_) => Err(Error::KeyUnsupported),
        }
    }

    /// From PKCS#8 in DER (RFC 5958 §2; Ed25519: RFC 8410 §7; ML-DSA: RFC 9881 §6).
    ///
    /// # Errors
    ///
    /// [`Error::KeyInvalid`] when it cannot be read, [`Error::KeyMismatch`] when it is a key of another kind than the algorithm's,
    /// [`Error::KeyTooShort`] for RSA below 2,048 bits, [`Error::KeyWeak`] for RSA of a broken generator, [`Error::KeyUnsupported`] for an
    /// ML-DSA key without its seed and for a kind of key that no algorithm takes, such as Ed448.
    pub fn from_pkcs8_der(der: &[u8], algorithm: Algorithm) -> Result<Self, Error> {
        // The crypto library says of an Ed448 key no more than that it cannot be read.
        if let Ok(info) = PrivateKeyInfoRef::try_from(der) {
            if !subject_public_key_info::is_known(&info.algorithm.oid) {
                return Err(Error::KeyUnsupported);
            }
            subject_public_key_info::check_kind(&info.algorithm, algorithm)?;
        }
        Self::with(SecretKey::from_pkcs8(der, algorithm)?, algorithm)
    }

    /// From DER in whichever of these forms it is: PKCS#8 (RFC 5958 §2), PKCS#1 (RSA, RFC 8017 A.1.2) or SEC1 (EC, RFC 5915 §3).
    ///
    /// # Errors
    ///
    /// Those of [`AnySigningKey::from_pkcs8_der`]; [`Error::KeyMismatch`] for Ed25519 and ML-DSA when it is no PKCS#8.
    pub fn from_der(der: &[u8], algorithm: Algorithm) -> Result<Self, Error> {
        if algorithm.is_mac() {
            return Err(Error::KeyMismatch);
        }
        if PrivateKeyInfoRef::try_from(der).is_ok() {
            return Self::from_pkcs8_der(der, algorithm);
        }
        Self::with(SecretKey::from_traditional(der, algorithm)?, algorithm)
    }

    /// From a private JWK that names its algorithm, or whose curve leaves one choice (RFC 7518 §6.2.2, §6.3.2, §6.4, RFC 8037 §2,
    /// RFC 9964 §3).
    ///
    /// # Errors
    ///
    /// [`Error::JsonInvalid`] and [`Error::DuplicateMember`] for what is no JSON object; [`Error::KeyInvalid`] when parts are missing or
    /// do not fit together; [`Error::KeyMismatch`] when type and algorithm do not; [`Error::KeyUnsupported`] for an `alg`, curve or use
    /// that is not for us and for more than two primes (RFC 7518 §6.3.2.7); [`Error::KeyTooShort`], [`Error::KeyWeak`] and
    /// [`Error::KeyLooksPublic`].
    pub fn from_jwk(text: &str) -> Result<Self, Error> {
        let jwk = Jwk::parse(text)?;
        let algorithm = from_jwk::algorithm(&jwk)?;
        from_jwk::check(&jwk, algorithm)?;
        if algorithm.is_mac() {
            return Self::from_secret(&jwk.bytes("k")?, algorithm);
        }
        let key = Self::with(from_jwk::secret_key(&jwk, algorithm)?, algorithm)?;
        // The public half must be the private one's: a mixed key would sign what nobody can check.
        if thumbprint::of(&jwk)? != key.thumbprint()? {
            return Err(Error::KeyInvalid);
        }
        Ok(key)
    }

    /// From a shared secret, for HS256, HS384 and HS512: at least as long as the hash (RFC 7518 §3.2).
    ///
    /// # Errors
    ///
    /// [`Error::KeyTooShort`]; [`Error::KeyLooksPublic`] for a key file by mistake; [`Error::KeyMismatch`] for other algorithms.
    pub fn from_secret(secret: &[u8], algorithm: Algorithm) -> Result<Self, Error> {
        check_secret(secret, algorithm)?;
        Self::with(SecretKey::mac(secret, algorithm)?, algorithm)
    }

    fn with(key: SecretKey, algorithm: Algorithm) -> Result<Self, Error> {
        let public = AnyVerifyingKey::from_checking_key(key.checking_key(algorithm)?, algorithm)?;
        Ok(Self {
            algorithm,
            key,
            public,
        })
    }

    /// The one algorithm that it signs with (RFC 8725 §3.1).
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key that checks what this one signs; for a shared secret, the same secret (RFC 7518 §3.2).
    pub fn verifying_key(&self) -> AnyVerifyingKey {
        self.public.clone()
    }

    /// Signs a message (RFC 7515 §5.1), as a JWS has it: of ECDSA both numbers at full length (RFC 7518 §3.4).
    ///
    /// # Errors
    ///
    /// [`Error::CryptoFailed`].
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let mut signature = Vec::new();
        self.key.sign(self.algorithm, message, &mut signature)?;
        Ok(signature)
    }

    pub(crate) fn sign_into(&self, message: &[u8], signature: &mut Vec<u8>) -> Result<(), Error> {
        self.key.sign(self.algorithm, message, signature)
    }

    /// PKCS#8 in DER (RFC 5958 §2). The bytes are wiped when they are dropped.
    ///
    /// # Errors
    ///
    /// [`Error::KeyUnsupported`] for a shared secret, which has none; [`Error::CryptoFailed`].
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.key.to_pkcs8()
    }

    /// PKCS#8 as PEM, `PRIVATE KEY` (RFC 7468 §10).
    ///
    /// # Errors
    ///
    /// As [`AnySigningKey::to_pkcs8_der`].
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>, Error> {
        pem::write("PRIVATE KEY", &self.to_pkcs8_der()?).map(Zeroizing::new)
    }

    /// The form of older programs in DER: PKCS#1 for RSA (RFC 8017 A.1.2), SEC1 for EC (RFC 5915 §3).
    ///
    /// # Errors
    ///
    /// [`Error::KeyUnsupported`] for other keys, which have none; [`Error::CryptoFailed`].
    pub fn to_traditional_der(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.key.to_traditional()
    }

    /// As [`AnySigningKey::to_traditional_der`], as PEM: `RSA PRIVATE KEY` or `EC PRIVATE KEY` (RFC 5915 §4).
    ///
    /// # Errors
    ///
    /// As [`AnySigningKey::to_traditional_der`].
    pub fn to_traditional_pem(&self) -> Result<Zeroizing<String>, Error> {
        let label = if self.algorithm.is_rsa() {
            "RSA PRIVATE KEY"
        } else {
            "EC PRIVATE KEY"
        };
        pem::write(label, &self.to_traditional_der()?).map(Zeroizing::new)
    }

    /// The private JWK, as JSON text (RFC 7518 §6.2.2, §6.3.2, §6.4, RFC 8037 §2, RFC 9964 §3), with `alg` (RFC 7517 §4.4).
    ///
    /// # Errors
    ///
    /// [`Error::CryptoFailed`].
    pub fn to_jwk_private(&self) -> Result<Zeroizing<String>, Error> {
        let text = |bytes: &[u8]| base64url::encode(bytes);
        let jwk = if self.algorithm.is_mac() {
            let k = text(&self.key.scalar()?);
            Jwk::from_members([
                ("kty", "oct".into()),
                ("k", k.into()),
                ("alg", self.algorithm.name().into()),
            ])
        } else if self.algorithm.is_rsa() {
            from_jwk::add_rsa_members(self.public.to_jwk()?, &self.to_pkcs8_der()?)?
        } else {
            let name = if self.algorithm.is_ml_dsa() { "priv" } else { "d" };
            self.public.to_jwk()?.with(name, text(&self.key.scalar()?))
        };
        serde_json::to_string(&jwk)
            .map(Zeroizing::new)
            .map_err(|_| Error::KeyInvalid)
    }

    /// The thumbprint (RFC 7638 §3), in base64url. Do not publish that of a shared secret: it can be guessed against (RFC 7638 §7).
    ///
    /// # Errors
    ///
    /// [`Error::KeyInvalid`] should the key have no JWK.
    pub fn thumbprint(&self) -> Result<String, Error> {
        if self.algorithm.is_mac() {
            return thumbprint::of(&Jwk::parse(&self.to_jwk_private()?)?);
        }
        self.public.thumbprint()
    }
}

impl fmt::Debug for AnySigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnySigningKey({})", self.algorithm)
    }
}
