//! The primitive alone, with a prepared key: nothing that checks or makes a token can be faster.

use std::hint::black_box;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, ParsedPublicKey, PqdsaKeyPair, RsaKeyPair};
use aws_lc_rs::{hmac, signature::VerificationAlgorithm};
use carnet_jose::Algorithm;
use data_encoding::BASE64URL_NOPAD;

use crate::material::Material;
use crate::timing::Contender;

pub fn contender(material: &Material) -> Contender {
    let (signed, encoded) = material.token.rsplit_once('.').expect("a token has dots");
    let signed = signed.as_bytes().to_vec();
    let signature = BASE64URL_NOPAD.decode(encoded.as_bytes()).expect("base64url");
    let sign = signer(material, signed.clone());
    let verify: Box<dyn FnMut()> = if let Some(secret) = &material.secret {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        Box::new(move || hmac::verify(black_box(&key), black_box(&signed), &signature).expect("good"))
    } else {
        let key = public(material);
        Box::new(move || key.verify_sig(black_box(&signed), &signature).expect("good"))
    };
    Contender {
        name: "the bare primitive",
        verify: Some(verify),
        sign: Some(sign),
    }
}

fn public(material: &Material) -> ParsedPublicKey {
    let algorithm: &'static dyn VerificationAlgorithm = match material.algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
        Algorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
        Algorithm::Es512 => &signature::ECDSA_P521_SHA512_FIXED,
        Algorithm::Es256k => &signature::ECDSA_P256K1_SHA256_FIXED,
        Algorithm::Ed25519 => &signature::ED25519,
        Algorithm::MlDsa44 => &signature::ML_DSA_44,
        other => unreachable!("{other} is not measured"),
    };
    let body: String = material
        .public_pem
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    let der = data_encoding::BASE64.decode(body.as_bytes()).expect("PEM");
    ParsedPublicKey::new(algorithm, der).expect("a key")
}

fn signer(material: &Material, message: Vec<u8>) -> Box<dyn FnMut()> {
    let random = SystemRandom::new();
    if let Some(secret) = &material.secret {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        return Box::new(move || {
            black_box(hmac::sign(&key, black_box(&message)));
        });
    }
    let der = material.private_der.as_deref().expect("a private key");
    let ecdsa = match material.algorithm {
        Algorithm::Es256 => Some(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::Es384 => Some(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        Algorithm::Es512 => Some(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
        Algorithm::Es256k => Some(&signature::ECDSA_P256K1_SHA256_FIXED_SIGNING),
        _ => None,
    };
    if let Some(algorithm) = ecdsa {
        let key = EcdsaKeyPair::from_pkcs8(algorithm, der).expect("a key");
        return Box::new(move || {
            black_box(key.sign(&random, black_box(&message)).expect("signed"));
        });
    }
    match material.algorithm {
        Algorithm::Ed25519 => {
            let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).expect("a key");
            Box::new(move || {
                black_box(key.sign(black_box(&message)));
            })
        }
        Algorithm::MlDsa44 => {
            let key = PqdsaKeyPair::from_pkcs8(&signature::ML_DSA_44_SIGNING, der).expect("a key");
            let mut made = vec![0; 2420];
            Box::new(move || {
                black_box(key.sign(black_box(&message), &mut made).expect("signed"));
            })
        }
        algorithm => {
            let key = RsaKeyPair::from_pkcs8(der).expect("a key");
            let mut made = vec![0; key.public_modulus_len()];
            let encoding: &'static dyn signature::RsaEncoding = match algorithm {
                Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
                _ => &signature::RSA_PKCS1_SHA256,
            };
            Box::new(move || {
                key.sign(encoding, &random, black_box(&message), &mut made)
                    .expect("signed");
                black_box(&made);
            })
        }
    }
}
