//! From the members of a JWK to key material, and back for RSA.
//!
//! Spec: RFC 7518 §6.2 (EC), §6.3 (RSA), §6.4 (oct) · RFC 8037 §2 (OKP) · RFC 8812 §3.1 (secp256k1) · RFC 9964 §3 (AKP)

use pkcs1::der::asn1::UintRef;
use pkcs1::der::{Decode as _, Encode as _};
use pkcs8::PrivateKeyInfoRef;

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::crypto::sign::SecretKey;
use crate::error::Error;
use crate::jwk::Jwk;

/// The algorithm that the JWK names, or the only one that its type and curve allow.
pub(super) fn algorithm(jwk: &Jwk) -> Result<Algorithm, Error> {
    jwk.check_types()?;
    if let Some(name) = jwk.algorithm() {
        return Algorithm::from_name(name).ok_or(Error::KeyUnsupported);
    }
    let curve = jwk.text("crv");
    Algorithm::ALL
        .iter()
        .copied()
        .find(|algorithm| curve.is_some() && algorithm.curve() == curve)
        .ok_or(Error::KeyUnsupported)
}

/// Whether type, curve, `alg` and `use` of the JWK go with the algorithm.
pub(super) fn check(jwk: &Jwk, algorithm: Algorithm) -> Result<(), Error> {
    jwk.check_types()?;
    let expected = match algorithm {
        _ if algorithm.is_mac() => "oct",
        _ if algorithm.is_rsa() => "RSA",
        _ if algorithm.is_ml_dsa() => "AKP",
        Algorithm::Ed25519 => "OKP",
        _ => "EC",
    };
    // RFC 9964 §3: without `alg` an AKP key is no key.
    if algorithm.is_ml_dsa() && jwk.algorithm().is_none() {
        return Err(Error::KeyInvalid);
    }
    let same_algorithm = jwk
        .algorithm()
        .is_none_or(|name| Algorithm::from_name(name) == Some(algorithm));
    if jwk.key_type() != Some(expected) || !same_algorithm || jwk.text("crv") != algorithm.curve() {
        return Err(Error::KeyMismatch);
    }
    if !jwk.is_for_signatures() {
        return Err(Error::KeyUnsupported);
    }
    Ok(())
}

/// The public key as the crypto folder reads it: PKCS#1 DER, a point, or raw bytes (OKP, AKP).
pub(super) fn public_bytes(jwk: &Jwk, algorithm: Algorithm) -> Result<Vec<u8>, Error> {
    if algorithm.is_rsa() {
        let (n, e) = (jwk.bytes("n")?, jwk.bytes("e")?);
        let key = pkcs1::RsaPublicKeyRef {
            modulus: uint(&n)?,
            public_exponent: uint(&e)?,
        };
        return key.to_der().map_err(|_| Error::KeyInvalid);
    }
    if let Some(length) = algorithm.public_key_len() {
        let bytes = jwk.bytes(if algorithm.is_ml_dsa() { "pub" } else { "x" })?;
        // RFC 8037 §2, RFC 9964 §3: the key itself. The crypto library would take a SubjectPublicKeyInfo as well.
        return match bytes.len() == length {
            true => Ok(bytes.to_vec()),
            false => Err(Error::KeyInvalid),
        };
    }
    let (x, y) = (jwk.bytes("x")?, jwk.bytes("y")?);
    // §6.2.1.2: full length, so that each key has one spelling and one thumbprint.
    if x.len() != algorithm.coordinate_len() || y.len() != algorithm.coordinate_len() {
        return Err(Error::KeyInvalid);
    }
    Ok([&[4], x.as_slice(), y.as_slice()].concat())
}

pub(super) fn secret_key(jwk: &Jwk, algorithm: Algorithm) -> Result<SecretKey, Error> {
    if algorithm.is_rsa() {
        return rsa_secret_key(jwk, algorithm);
    }
    if algorithm.is_ml_dsa() {
        return SecretKey::from_ml_dsa_seed(&jwk.bytes("priv")?, algorithm);
    }
    let (d, public) = (jwk.bytes("d")?, public_bytes(jwk, algorithm)?);
    // §6.2.2.1: as long as a coordinate, zeros in front included.
    if algorithm != Algorithm::Ed25519 && d.len() != algorithm.coordinate_len() {
        return Err(Error::KeyInvalid);
    }
    match algorithm {
        Algorithm::Ed25519 => SecretKey::from_ed_parts(&d, &public),
        _ => SecretKey::from_ec_parts(&d, &public, algorithm),
    }
}

const RSA_MEMBERS: [&str; 8] = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];

fn rsa_secret_key(jwk: &Jwk, algorithm: Algorithm) -> Result<SecretKey, Error> {
    // §6.3.2.7: more than two primes.
    if jwk.has("oth") {
        return Err(Error::KeyUnsupported);
    }
    let parts = RSA_MEMBERS
        .iter()
        .map(|name| jwk.bytes(name))
        .collect::<Result<Vec<_>, _>>()?;
    let [n, e, d, p, q, dp, dq, qi] = parts.as_slice() else {
        return Err(Error::KeyInvalid);
    };
    let key = pkcs1::RsaPrivateKeyRef {
        modulus: uint(n)?,
        public_exponent: uint(e)?,
        private_exponent: uint(d)?,
        prime1: uint(p)?,
        prime2: uint(q)?,
        exponent1: uint(dp)?,
        exponent2: uint(dq)?,
        coefficient: uint(qi)?,
        other_prime_infos: None,
    };
    let der = zeroize::Zeroizing::new(key.to_der().map_err(|_| Error::KeyInvalid)?);
    SecretKey::from_traditional(&der, algorithm)
}

/// Adds the private members of an RSA key in PKCS#8.
pub(super) fn add_rsa_members(jwk: Jwk, pkcs8: &[u8]) -> Result<Jwk, Error> {
    let info = PrivateKeyInfoRef::try_from(pkcs8).map_err(|_| Error::KeyInvalid)?;
    let key =
        pkcs1::RsaPrivateKeyRef::from_der(info.private_key.as_bytes()).map_err(|_| Error::KeyInvalid)?;
    let members = [
        ("d", key.private_exponent),
        ("p", key.prime1),
        ("q", key.prime2),
        ("dp", key.exponent1),
        ("dq", key.exponent2),
        ("qi", key.coefficient),
    ];
    Ok(members.into_iter().fold(jwk, |jwk, (name, value)| {
        jwk.with(name, base64url::encode(value.as_bytes()))
    }))
}

/// Some issuers pad: zeros in front mean nothing.
fn uint(bytes: &[u8]) -> Result<UintRef<'_>, Error> {
    UintRef::new(bytes).map_err(|_| Error::KeyInvalid)
}
