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
use crate::key::from_jwk;
use crate::key::pem::{self, Pem};
use crate::key::public::AnyVerifyingKey;
use crate::key::shared_secret::check_secret;
use crate::{base64url, thumbprint};

/// A key that signs, of any algorithm. It cannot be cloned, and `Debug` shows its algorithm alone.
pub struct AnySigningKey {
    algorithm: Algorithm,
    key: SecretKey,
    public: AnyVerifyingKey,
}

impl AnySigningKey {
    /// A new key. RSA keys have 3,072 bits, secrets the bytes of their hash.
    pub fn generate(algorithm: Algorithm) -> Result<Self, Error> {
        Self::with(SecretKey::generate(algorithm)?, algorithm)
    }

    /// From PEM: `PRIVATE KEY` (PKCS#8), `RSA PRIVATE KEY` (PKCS#1) or `EC PRIVATE KEY` (SEC1).
    pub fn from_pem(text: &str, algorithm: Algorithm) -> Result<Self, Error> {
        match pem::read(text)? {
            Pem::Private(der) => Self::from_pkcs8_der(&der, algorithm),
            Pem::RsaPrivate(der) if algorithm.is_rsa() => {
                Self::with(SecretKey::from_traditional(&der, algorithm)?, algorithm)
            }
            Pem::EcPrivate(der) => Self::with(SecretKey::from_traditional(&der, algorithm)?, algorithm),
            Pem::RsaPrivate(_) => Err(Error::KeyMismatch),
            Pem::Public(_) | Pem::RsaPublic(_) => Err(Error::KeyUnsupported),
        }
    }

    /// From PKCS#8 in DER.
    pub fn from_pkcs8_der(der: &[u8], algorithm: Algorithm) -> Result<Self, Error> {
        Self::with(SecretKey::from_pkcs8(der, algorithm)?, algorithm)
    }

    /// From DER in whichever of these forms it is: PKCS#8, PKCS#1 (RSA) or SEC1 (EC).
    pub fn from_der(der: &[u8], algorithm: Algorithm) -> Result<Self, Error> {
        if algorithm.is_mac() {
            return Err(Error::KeyMismatch);
        }
        if PrivateKeyInfoRef::try_from(der).is_ok() {
            return Self::from_pkcs8_der(der, algorithm);
        }
        Self::with(SecretKey::from_traditional(der, algorithm)?, algorithm)
    }

    /// From a private JWK that names its algorithm, or whose type and curve leave one choice.
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

    /// The one algorithm that it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key that checks what this one signs; for a shared secret, the same secret.
    pub fn verifying_key(&self) -> AnyVerifyingKey {
        self.public.clone()
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let mut signature = Vec::new();
        self.key.sign(self.algorithm, message, &mut signature)?;
        Ok(signature)
    }

    pub(crate) fn sign_into(&self, message: &[u8], signature: &mut Vec<u8>) -> Result<(), Error> {
        self.key.sign(self.algorithm, message, signature)
    }

    /// PKCS#8 in DER. A shared secret has none.
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.key.to_pkcs8()
    }

    /// PKCS#8 as PEM. A shared secret has none.
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>, Error> {
        pem::write("PRIVATE KEY", &self.to_pkcs8_der()?).map(Zeroizing::new)
    }

    /// The form of older programs in DER: PKCS#1 for RSA (RFC 8017 A.1.2), SEC1 for EC (RFC 5915). Other keys have none.
    pub fn to_traditional_der(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.key.to_traditional()
    }

    /// As [`AnySigningKey::to_traditional_der`], as PEM: `RSA PRIVATE KEY` or `EC PRIVATE KEY`.
    pub fn to_traditional_pem(&self) -> Result<Zeroizing<String>, Error> {
        let label = if self.algorithm.is_rsa() {
            "RSA PRIVATE KEY"
        } else {
            "EC PRIVATE KEY"
        };
        pem::write(label, &self.to_traditional_der()?).map(Zeroizing::new)
    }

    /// The private JWK, as JSON text.
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

    /// The RFC 7638 thumbprint, in base64url. Do not publish that of a shared secret: it can be guessed against.
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
