//! Keys whose algorithm is part of their type.

use std::fmt;
use std::marker::PhantomData;

use crate::algorithm::alg::{Jws, Mac, Signature};
use crate::error::Error;
use crate::jwk::Jwk;
use crate::key::public::AnyVerifyingKey;
use crate::key::secret::AnySigningKey;

/// A key that signs with the algorithm `A` (RFC 8725 §3.1).
///
/// ```
/// use carnet_jose::{SigningKey, alg::Es256};
///
/// let key = SigningKey::<Es256>::generate()?;
/// let signature = key.sign(b"message")?;
/// key.verifying_key().verify(b"message", &signature)?;
/// # Ok::<(), carnet_jose::Error>(())
/// ```
///
/// A shared secret has no public half to hand out:
///
/// ```compile_fail
/// use carnet_jose::{SigningKey, alg::Hs256};
///
/// SigningKey::<Hs256>::generate().unwrap().verifying_key();
/// ```
///
/// And a public key is no secret, so the oldest forgery does not compile:
///
/// ```compile_fail
/// use carnet_jose::{SigningKey, alg::Es256};
///
/// SigningKey::<Es256>::from_secret(b"-----BEGIN PUBLIC KEY-----");
/// ```
pub struct SigningKey<A: Jws> {
    key: AnySigningKey,
    algorithm: PhantomData<fn() -> A>,
}

/// A key that checks signatures of the algorithm `A` (RFC 8725 §3.1).
///
/// ```
/// use carnet_jose::{SigningKey, VerifyingKey, alg::Ed25519};
///
/// let key = SigningKey::<Ed25519>::generate()?;
/// let pem = key.verifying_key().erase().to_spki_pem()?;
/// VerifyingKey::<Ed25519>::from_pem(&pem)?.verify(b"message", &key.sign(b"message")?)?;
/// # Ok::<(), carnet_jose::Error>(())
/// ```
pub struct VerifyingKey<A: Signature> {
    key: AnyVerifyingKey,
    algorithm: PhantomData<fn() -> A>,
}

impl<A: Jws> SigningKey<A> {
    /// A new key: RSA with 3,072 bits (RFC 7518 §3.3), a secret with the bytes of its hash (RFC 7518 §3.2).
    ///
    /// # Errors
    ///
    /// As [`AnySigningKey::generate`].
    pub fn generate() -> Result<Self, Error> {
        AnySigningKey::generate(A::ALGORITHM).map(Self::with)
    }

    /// From a private JWK (RFC 7517 §4).
    ///
    /// # Errors
    ///
    /// As [`AnySigningKey::from_jwk`]; [`Error::KeyMismatch`] when it is for another algorithm.
    pub fn from_jwk(text: &str) -> Result<Self, Error> {
        let key = AnySigningKey::from_jwk(text)?;
        if key.algorithm() == A::ALGORITHM {
            Ok(Self::with(key))
        } else {
            Err(Error::KeyMismatch)
        }
    }

    /// Signs a message (RFC 7515 §5.1).
    ///
    /// # Errors
    ///
    /// As [`AnySigningKey::sign`].
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.key.sign(message)
    }

    /// Forgets the algorithm in the type; the key stays bound to it (RFC 8725 §3.1).
    pub fn erase(self) -> AnySigningKey {
        self.key
    }

    fn with(key: AnySigningKey) -> Self {
        Self {
            key,
            algorithm: PhantomData,
        }
    }
}

impl<A: Mac> SigningKey<A> {
    /// From a shared secret (RFC 7518 §3.2).
    ///
    /// # Errors
    ///
    /// As [`AnySigningKey::from_secret`].
    pub fn from_secret(secret: &[u8]) -> Result<Self, Error> {
        AnySigningKey::from_secret(secret, A::ALGORITHM).map(Self::with)
    }
}

impl<A: Signature> SigningKey<A> {
    /// From PEM (RFC 7468 §10, RFC 8017 A.1.2, RFC 5915 §4).
    ///
    /// # Errors
    ///
    /// As [`AnySigningKey::from_pem`].
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        AnySigningKey::from_pem(text, A::ALGORITHM).map(Self::with)
    }

    /// From PKCS#8 in DER (RFC 5958 §2).
    ///
    /// # Errors
    ///
    /// As [`AnySigningKey::from_pkcs8_der`].
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, Error> {
        AnySigningKey::from_pkcs8_der(der, A::ALGORITHM).map(Self::with)
    }

    /// The key that checks what this one signs (RFC 7515 §5.2).
    pub fn verifying_key(&self) -> VerifyingKey<A> {
        VerifyingKey {
            key: self.key.verifying_key(),
            algorithm: PhantomData,
        }
    }
}

impl<A: Signature> VerifyingKey<A> {
    /// From PEM (RFC 7468 §13, RFC 8017 A.1.1).
    ///
    /// # Errors
    ///
    /// As [`AnyVerifyingKey::from_pem`].
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        Ok(Self {
            key: AnyVerifyingKey::from_pem(text, A::ALGORITHM)?,
            algorithm: PhantomData,
        })
    }

    /// From SubjectPublicKeyInfo in DER (RFC 5280 §4.1.2.7).
    ///
    /// # Errors
    ///
    /// As [`AnyVerifyingKey::from_spki_der`].
    pub fn from_spki_der(der: &[u8]) -> Result<Self, Error> {
        Ok(Self {
            key: AnyVerifyingKey::from_spki_der(der, A::ALGORITHM)?,
            algorithm: PhantomData,
        })
    }

    /// From a public JWK (RFC 7517 §4).
    ///
    /// # Errors
    ///
    /// As [`AnyVerifyingKey::from_jwk_as`]; [`Error::KeyMismatch`] when it is for another algorithm.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, Error> {
        Ok(Self {
            key: AnyVerifyingKey::from_jwk_as(jwk, A::ALGORITHM)?,
            algorithm: PhantomData,
        })
    }

    /// Checks a signature over a message (RFC 7515 §5.2).
    ///
    /// # Errors
    ///
    /// [`Error::SignatureInvalid`].
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        self.key.verify(message, signature)
    }

    /// Forgets the algorithm in the type; the key stays bound to it (RFC 8725 §3.1).
    pub fn erase(self) -> AnyVerifyingKey {
        self.key
    }
}

impl<A: Jws> From<SigningKey<A>> for AnySigningKey {
    fn from(key: SigningKey<A>) -> Self {
        key.key
    }
}

impl<A: Jws> fmt::Debug for SigningKey<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey<{}>", A::ALGORITHM)
    }
}

impl<A: Signature> fmt::Debug for VerifyingKey<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey<{}>", A::ALGORITHM)
    }
}
