//! SubjectPublicKeyInfo: which kind of key it says it is.
//!
//! Spec: RFC 5280 §4.1.2.7 · RFC 3279 §2.3.1 (RSA) · RFC 5480 §2 (EC) · RFC 8410 §3 (Ed25519) · RFC 9881 §4 (ML-DSA)

use spki::{AlgorithmIdentifierRef, ObjectIdentifier, SubjectPublicKeyInfoRef};

use crate::algorithm::Algorithm;
use crate::error::Error;

/// Whether the DER is a SubjectPublicKeyInfo, and for the kind of key that the algorithm takes.
pub(super) fn check(der: &[u8], algorithm: Algorithm) -> Result<(), Error> {
    let info = SubjectPublicKeyInfoRef::try_from(der).map_err(|_| Error::KeyInvalid)?;
    check_kind(&info.algorithm, algorithm)
}

/// Whether a key that calls itself so is of the kind that the algorithm takes; also where it is a private one (RFC 5958 §2).
pub(super) fn check_kind(found: &AlgorithmIdentifierRef<'_>, algorithm: Algorithm) -> Result<(), Error> {
    let (kind, curve) = identifiers(algorithm).ok_or(Error::KeyMismatch)?;
    let right_curve = curve.is_none_or(|curve| found.parameters_oid() == Ok(curve));
    if found.oid == kind && right_curve {
        Ok(())
    } else {
        Err(Error::KeyMismatch)
    }
}

/// Whether some algorithm takes keys of this kind.
pub(super) fn is_known(kind: &ObjectIdentifier) -> bool {
    Algorithm::ALL
        .iter()
        .any(|algorithm| identifiers(*algorithm).is_some_and(|(known, _)| known == *kind))
}

/// The kind of key, and the curve where the kind leaves it open.
fn identifiers(algorithm: Algorithm) -> Option<(ObjectIdentifier, Option<ObjectIdentifier>)> {
    match algorithm {
        _ if algorithm.is_rsa() => Some((RSA, None)),
        Algorithm::Es256 => Some((EC, Some(P256))),
        Algorithm::Es384 => Some((EC, Some(P384))),
        Algorithm::Es512 => Some((EC, Some(P521))),
        Algorithm::Es256k => Some((EC, Some(SECP256K1))),
        Algorithm::Ed25519 => Some((ED25519, None)),
        Algorithm::MlDsa44 => Some((ML_DSA_44, None)),
        Algorithm::MlDsa65 => Some((ML_DSA_65, None)),
        Algorithm::MlDsa87 => Some((ML_DSA_87, None)),
        _ => None,
    }
}

/// RFC 8017 appendix C.
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// RFC 5480 §2.1.1.
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// RFC 5480 §2.1.1.1.
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// RFC 5480 §2.1.1.1.
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
/// RFC 5480 §2.1.1.1.
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
/// SEC 2 appendix A.2.1.
const SECP256K1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.10");
/// RFC 9881 §2.
const ML_DSA_44: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17");
/// RFC 9881 §2.
const ML_DSA_65: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18");
/// RFC 9881 §2.
const ML_DSA_87: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.19");
/// RFC 8410 §3.
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
