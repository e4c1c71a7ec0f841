//! Prepared keys that sign.
//!
//! Spec: RFC 7518 §3 · RFC 8037 §3.1 · RFC 8812 §3.2 · RFC 9964 §4 · RFC 9881 §6 (ML-DSA in PKCS#8)

use aws_lc_rs::encoding::{
    AsBigEndian as _, AsDer as _, Curve25519SeedBin, EcPrivateKeyBin, EcPrivateKeyRfc5915Der, Pkcs8V1Der,
};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, PqdsaKeyPair,
    PqdsaSigningAlgorithm, RsaEncoding, RsaKeyPair,
};
use pkcs8::PrivateKeyInfoRef;
use zeroize::Zeroizing;

use super::verify::{CheckingKey, hmac_algorithm};
use crate::algorithm::Algorithm;
use crate::error::Error;

/// A key that signs, parsed once.
pub(crate) enum SecretKey {
    Mac {
        key: Box<hmac::Key>,
        secret: Zeroizing<Vec<u8>>,
    },
    Rsa(Box<RsaKeyPair>),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    MlDsa {
        key: Box<PqdsaKeyPair>,
        seed: Zeroizing<Vec<u8>>,
    },
}

impl SecretKey {
    /// A new key; RSA has 3,072 bits.
    pub(crate) fn generate(algorithm: Algorithm) -> Result<Self, Error> {
        if algorithm.is_rsa() {
            return RsaKeyPair::generate(KeySize::Rsa3072)
                .map(|key| Self::Rsa(Box::new(key)))
                .map_err(|_| Error::CryptoFailed);
        }
        if let Some(library) = ecdsa(algorithm) {
            return EcdsaKeyPair::generate(library)
                .map(Self::Ec)
                .map_err(|_| Error::CryptoFailed);
        }
        match algorithm.signature_len() {
            _ if algorithm.is_ml_dsa() => {
                let mut seed = Zeroizing::new(vec![0; ML_DSA_SEED_BYTES]);
                super::primitive::fill_random(&mut seed)?;
                Self::from_ml_dsa_seed(&seed, algorithm)
            }
            _ if algorithm == Algorithm::Ed25519 => Ed25519KeyPair::generate()
                .map(Self::Ed)
                .map_err(|_| Error::CryptoFailed),
            Some(length) => {
                let mut secret = Zeroizing::new(vec![0; length]);
                super::primitive::fill_random(&mut secret)?;
                Self::mac(&secret, algorithm)
            }
            None => Err(Error::KeyUnsupported),
        }
    }

    pub(crate) fn mac(secret: &[u8], algorithm: Algorithm) -> Result<Self, Error> {
        let key = hmac::Key::new(hmac_algorithm(algorithm).ok_or(Error::KeyMismatch)?, secret);
        Ok(Self::Mac {
            key: Box::new(key),
            secret: Zeroizing::new(secret.to_vec()),
        })
    }

    pub(crate) fn from_pkcs8(der: &[u8], algorithm: Algorithm) -> Result<Self, Error> {
        if let Some(library) = ml_dsa(algorithm) {
            let key = PqdsaKeyPair::from_pkcs8(library, der).map_err(|_| Error::KeyInvalid)?;
            // A key without its seed cannot be written as a JWK: RFC 9964 knows seeds alone.
            let der = key.to_pkcs8v1().map_err(|_| Error::KeyUnsupported)?;
            return Self::from_ml_dsa_seed(&seed_of(der.as_ref())?, algorithm);
        }
        let key = if algorithm.is_rsa() {
            // Read before the library does: of a short key it only says that it cannot be read.
            let info = PrivateKeyInfoRef::try_from(der).map_err(|_| Error::KeyInvalid)?;
            check_modulus(info.private_key.as_bytes())?;
            RsaKeyPair::from_pkcs8(der)
                .map(|key| Self::Rsa(Box::new(key)))
                .ok()
        } else if let Some(library) = ecdsa(algorithm) {
            EcdsaKeyPair::from_pkcs8(library, der).map(Self::Ec).ok()
        } else if algorithm == Algorithm::Ed25519 {
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Self::Ed).ok()
        } else {
            return Err(Error::KeyMismatch);
        };
        key.ok_or(Error::KeyInvalid)
    }

    /// PKCS#1 (RSA) or SEC1 (EC).
    pub(crate) fn from_traditional(der: &[u8], algorithm: Algorithm) -> Result<Self, Error> {
        let key = if algorithm.is_rsa() {
            check_modulus(der)?;
            RsaKeyPair::from_der(der).map(|key| Self::Rsa(Box::new(key))).ok()
        } else {
            let library = ecdsa(algorithm).ok_or(Error::KeyMismatch)?;
            EcdsaKeyPair::from_private_key_der(library, der)
                .map(Self::Ec)
                .ok()
        };
        key.ok_or(Error::KeyInvalid)
    }

    pub(crate) fn from_ec_parts(d: &[u8], point: &[u8], algorithm: Algorithm) -> Result<Self, Error> {
        let library = ecdsa(algorithm).ok_or(Error::KeyMismatch)?;
        EcdsaKeyPair::from_private_key_and_public_key(library, d, point)
            .map(Self::Ec)
            .map_err(|_| Error::KeyInvalid)
    }

    pub(crate) fn from_ed_parts(seed: &[u8], public: &[u8]) -> Result<Self, Error> {
        Ed25519KeyPair::from_seed_and_public_key(seed, public)
            .map(Self::Ed)
            .map_err(|_| Error::KeyInvalid)
    }

    pub(crate) fn from_ml_dsa_seed(seed: &[u8], algorithm: Algorithm) -> Result<Self, Error> {
        let library = ml_dsa(algorithm).ok_or(Error::KeyMismatch)?;
        let key = PqdsaKeyPair::from_seed(library, seed).map_err(|_| Error::KeyInvalid)?;
        Ok(Self::MlDsa {
            key: Box::new(key),
            seed: Zeroizing::new(seed.to_vec()),
        })
    }

    pub(crate) fn checking_key(&self, algorithm: Algorithm) -> Result<CheckingKey, Error> {
        match self {
            Self::Mac { secret, .. } => CheckingKey::mac(secret, algorithm),
            Self::Rsa(key) => CheckingKey::public(key.public_key().as_ref(), algorithm),
            Self::Ec(key) => CheckingKey::public(key.public_key().as_ref(), algorithm),
            Self::Ed(key) => CheckingKey::public(key.public_key().as_ref(), algorithm),
            Self::MlDsa { key, .. } => CheckingKey::public(key.public_key().as_ref(), algorithm),
        }
    }

    /// Signs into `signature`, which is emptied first.
    pub(crate) fn sign(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &mut Vec<u8>,
    ) -> Result<(), Error> {
        signature.clear();
        match self {
            Self::Mac { key, .. } => signature.extend_from_slice(hmac::sign(key, message).as_ref()),
            Self::Rsa(key) => {
                signature.resize(key.public_modulus_len(), 0);
                let encoding = rsa_encoding(algorithm).ok_or(Error::KeyMismatch)?;
                key.sign(encoding, &SystemRandom::new(), message, signature)
                    .map_err(|_| Error::CryptoFailed)?;
            }
            Self::Ec(key) => {
                let made = key
                    .sign(&SystemRandom::new(), message)
                    .map_err(|_| Error::CryptoFailed)?;
                signature.extend_from_slice(made.as_ref());
            }
            Self::Ed(key) => {
                signature.extend_from_slice(key.try_sign(message).map_err(|_| Error::CryptoFailed)?.as_ref())
            }
            Self::MlDsa { key, .. } => {
                signature.resize(key.algorithm().signature_len(), 0);
                key.sign(message, signature).map_err(|_| Error::CryptoFailed)?;
            }
        }
        Ok(())
    }

    pub(crate) fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let der = match self {
            Self::Mac { .. } => return Err(Error::KeyUnsupported),
            Self::Rsa(key) => {
                let der: Pkcs8V1Der<'_> = key.as_der().map_err(|_| Error::CryptoFailed)?;
                der.as_ref().to_vec()
            }
            Self::Ec(key) => key
                .to_pkcs8v1()
                .map_err(|_| Error::CryptoFailed)?
                .as_ref()
                .to_vec(),
            Self::Ed(key) => key
                .to_pkcs8v1()
                .map_err(|_| Error::CryptoFailed)?
                .as_ref()
                .to_vec(),
            Self::MlDsa { key, .. } => key
                .to_pkcs8v1()
                .map_err(|_| Error::CryptoFailed)?
                .as_ref()
                .to_vec(),
        };
        Ok(Zeroizing::new(der))
    }

    /// PKCS#1 (RSA) or SEC1 with its curve (EC).
    pub(crate) fn to_traditional(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        match self {
            Self::Rsa(_) => {
                let pkcs8 = self.to_pkcs8()?;
                let info = PrivateKeyInfoRef::try_from(pkcs8.as_slice()).map_err(|_| Error::KeyInvalid)?;
                Ok(Zeroizing::new(info.private_key.as_bytes().to_vec()))
            }
            Self::Ec(key) => {
                let der: EcPrivateKeyRfc5915Der<'_> =
                    key.private_key().as_der().map_err(|_| Error::CryptoFailed)?;
                Ok(Zeroizing::new(der.as_ref().to_vec()))
            }
            Self::Mac { .. } | Self::Ed(_) | Self::MlDsa { .. } => Err(Error::KeyUnsupported),
        }
    }

    /// The bare secret: `k` of a MAC key, `d` of EC and OKP keys, `priv` of ML-DSA keys.
    pub(crate) fn scalar(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        match self {
            Self::Mac { secret, .. } => Ok(secret.clone()),
            Self::MlDsa { seed, .. } => Ok(seed.clone()),
            Self::Rsa(_) => Err(Error::KeyUnsupported),
            Self::Ec(key) => {
                let bytes: EcPrivateKeyBin<'_> =
                    key.private_key().as_be_bytes().map_err(|_| Error::CryptoFailed)?;
                Ok(Zeroizing::new(bytes.as_ref().to_vec()))
            }
            Self::Ed(key) => {
                let seed = key.seed().map_err(|_| Error::CryptoFailed)?;
                let bytes: Curve25519SeedBin<'_> = seed.as_be_bytes().map_err(|_| Error::CryptoFailed)?;
                Ok(Zeroizing::new(bytes.as_ref().to_vec()))
            }
        }
    }
}

fn ecdsa(algorithm: Algorithm) -> Option<&'static EcdsaSigningAlgorithm> {
    match algorithm {
        Algorithm::Es256 => Some(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::Es384 => Some(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        Algorithm::Es512 => Some(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
        Algorithm::Es256k => Some(&signature::ECDSA_P256K1_SHA256_FIXED_SIGNING),
        _ => None,
    }
}

/// Whether the modulus of a PKCS#1 key has 2,048 bits at least.
fn check_modulus(pkcs1: &[u8]) -> Result<(), Error> {
    let key = pkcs1::RsaPrivateKeyRef::try_from(pkcs1).map_err(|_| Error::KeyInvalid)?;
    let modulus = key.modulus.as_bytes();
    let zeros = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
    if modulus.len() * 8 - zeros < 2048 {
        return Err(Error::KeyTooShort);
    }
    Ok(())
}

/// FIPS 204: of every parameter set.
const ML_DSA_SEED_BYTES: usize = 32;

fn ml_dsa(algorithm: Algorithm) -> Option<&'static PqdsaSigningAlgorithm> {
    match algorithm {
        Algorithm::MlDsa44 => Some(&signature::ML_DSA_44_SIGNING),
        Algorithm::MlDsa65 => Some(&signature::ML_DSA_65_SIGNING),
        Algorithm::MlDsa87 => Some(&signature::ML_DSA_87_SIGNING),
        _ => None,
    }
}

/// The seed in a PKCS#8 key: RFC 9881 §6, `[0] IMPLICIT OCTET STRING`.
fn seed_of(pkcs8: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let info = PrivateKeyInfoRef::try_from(pkcs8).map_err(|_| Error::KeyInvalid)?;
    match info.private_key.as_bytes() {
        [0x80, 0x20, seed @ ..] if seed.len() == ML_DSA_SEED_BYTES => Ok(Zeroizing::new(seed.to_vec())),
        _ => Err(Error::KeyUnsupported),
    }
}

fn rsa_encoding(algorithm: Algorithm) -> Option<&'static dyn RsaEncoding> {
    Some(match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_SHA512,
        _ => return None,
    })
}
