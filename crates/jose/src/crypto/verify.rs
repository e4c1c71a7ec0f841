//! Prepared keys that check signatures.
//!
//! Spec: RFC 7518 §3 · RFC 8037 §3.1 · RFC 8812 §3.2 · RFC 9964 §4

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};

use crate::algorithm::Algorithm;
use crate::error::Error;

/// A key that checks, parsed once.
pub(crate) enum CheckingKey {
    Mac(Box<hmac::Key>),
    Public { key: ParsedPublicKey, spki: Vec<u8> },
}

impl CheckingKey {
    /// From SPKI DER, PKCS#1 DER (RSA), an uncompressed point (EC) or raw bytes (OKP).
    pub(crate) fn public(bytes: &[u8], algorithm: Algorithm) -> Result<Self, Error> {
        let library = library(algorithm).ok_or(Error::KeyMismatch)?;
        let key = ParsedPublicKey::new(library, bytes).map_err(|_| Error::KeyInvalid)?;
        let spki: PublicKeyX509Der<'_> = key.as_der().map_err(|_| Error::KeyInvalid)?;
        let spki = spki.as_ref().to_vec();
        Ok(Self::Public { key, spki })
    }

    pub(crate) fn mac(secret: &[u8], algorithm: Algorithm) -> Result<Self, Error> {
        Ok(Self::Mac(Box::new(hmac::Key::new(
            hmac_algorithm(algorithm).ok_or(Error::KeyMismatch)?,
            secret,
        ))))
    }

    /// Exact length, then the mathematics; MACs are compared in constant time.
    pub(crate) fn check(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        if algorithm
            .signature_len()
            .is_some_and(|length| length != signature.len())
        {
            return Err(Error::SignatureInvalid);
        }
        let outcome = match self {
            Self::Mac(key) => hmac::verify(key, message, signature),
            Self::Public { key, .. } => key.verify_sig(message, signature),
        };
        outcome.map_err(|_| Error::SignatureInvalid)
    }
}

pub(super) fn hmac_algorithm(algorithm: Algorithm) -> Option<hmac::Algorithm> {
    match algorithm {
        Algorithm::Hs256 => Some(hmac::HMAC_SHA256),
        Algorithm::Hs384 => Some(hmac::HMAC_SHA384),
        Algorithm::Hs512 => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}

fn library(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
        Algorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
        Algorithm::Es512 => &signature::ECDSA_P521_SHA512_FIXED,
        Algorithm::Es256k => &signature::ECDSA_P256K1_SHA256_FIXED,
        Algorithm::Ed25519 => &signature::ED25519,
        Algorithm::MlDsa44 => &signature::ML_DSA_44,
        Algorithm::MlDsa65 => &signature::ML_DSA_65,
        Algorithm::MlDsa87 => &signature::ML_DSA_87,
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => return None,
    })
}
