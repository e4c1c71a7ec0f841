//! The crate `jsonwebtoken`, with the cryptography that is fastest in it.

use std::hint::black_box;

use carnet_jose::Algorithm as Ours;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};

use crate::material::{AUDIENCE, Claims, ISSUER, Material};
use crate::timing::Contender;

pub fn contender(material: &Material) -> Option<Contender> {
    let private = material.private_pem.as_bytes();
    let public = material.public_pem.as_bytes();
    let secret = material.secret.as_deref().unwrap_or_default();
    let (algorithm, encoding, decoding) = match material.algorithm {
        Ours::Hs256 => (
            Algorithm::HS256,
            EncodingKey::from_secret(secret),
            DecodingKey::from_secret(secret),
        ),
        Ours::Rs256 => (
            Algorithm::RS256,
            EncodingKey::from_rsa_pem(private).ok()?,
            DecodingKey::from_rsa_pem(public).ok()?,
        ),
        Ours::Ps256 => (
            Algorithm::PS256,
            EncodingKey::from_rsa_pem(private).ok()?,
            DecodingKey::from_rsa_pem(public).ok()?,
        ),
        Ours::Es256 => (
            Algorithm::ES256,
            EncodingKey::from_ec_pem(private).ok()?,
            DecodingKey::from_ec_pem(public).ok()?,
        ),
        Ours::Es384 => (
            Algorithm::ES384,
            EncodingKey::from_ec_pem(private).ok()?,
            DecodingKey::from_ec_pem(public).ok()?,
        ),
        Ours::Ed25519 => (
            Algorithm::EdDSA,
            EncodingKey::from_ed_pem(private).ok()?,
            DecodingKey::from_ed_pem(public).ok()?,
        ),
        _ => return None,
    };
    let mut header = Header::new(algorithm);
    header.kid = Some("k1".to_owned());
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "sub", "aud", "iss"]);
    validation.validate_nbf = true;
    let claims = material.claims.clone();
    // Its own token: it writes `EdDSA` where we write `Ed25519`.
    let token = encode(&header, &claims, &encoding).ok()?;
    Some(Contender {
        name: "jsonwebtoken",
        verify: Some(Box::new(move || {
            black_box(decode::<Claims>(black_box(&token), &decoding, &validation).expect("a good token"));
        })),
        sign: Some(Box::new(move || {
            black_box(encode(&header, black_box(&claims), &encoding).expect("signed"));
        })),
    })
}
