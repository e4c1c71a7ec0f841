//! Signatures: one key, one algorithm, one form.

use carnet_jose::{Algorithm, AnySigningKey, AnyVerifyingKey, Error, KeySet, base64url};
use serde_json::Value;

use crate::fixture::{NOW, builder, claims, odd_key};

fn token(header: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let payload = base64url::encode(claims().to_string().as_bytes());
    let signed = format!("{}.{payload}", base64url::encode(header.as_bytes()));
    format!("{signed}.{}", base64url::encode(&sign(signed.as_bytes())))
}

#[test]
fn jwt_04_a_header_cannot_move_a_key_to_another_algorithm() {
    let rs256 = AnySigningKey::generate(Algorithm::Rs256).unwrap();
    let p384 = AnySigningKey::generate(Algorithm::Es384).unwrap();
    let keys = vec![
        (Some("rsa".to_owned()), rs256.verifying_key()),
        (Some("p384".to_owned()), p384.verifying_key()),
    ];
    let verifier = builder(KeySet::new(keys).unwrap())
        .algorithms(&[
            Algorithm::Rs256,
            Algorithm::Rs512,
            Algorithm::Ps256,
            Algorithm::Es256,
            Algorithm::Es384,
        ])
        .build()
        .unwrap();
    let der = rs256.to_pkcs8_der().unwrap();
    for algorithm in [Algorithm::Ps256, Algorithm::Rs512] {
        // The attack at its best: the true private key, used with another algorithm.
        let other = AnySigningKey::from_pkcs8_der(&der, algorithm).unwrap();
        let header = format!(r#"{{"alg":"{algorithm}","typ":"at+jwt","kid":"rsa"}}"#);
        let forged = token(&header, |message| other.sign(message).unwrap());
        assert_eq!(
            verifier.verify_owned::<Value>(&forged, NOW).unwrap_err(),
            Error::AlgorithmMismatch
        );
    }
    let header = r#"{"alg":"ES256","typ":"at+jwt","kid":"p384"}"#;
    let forged = token(header, |message| p384.sign(message).unwrap());
    assert_eq!(
        verifier.verify_owned::<Value>(&forged, NOW).unwrap_err(),
        Error::AlgorithmMismatch
    );
    // Outside of the policy the key is not even looked for.
    let header = r#"{"alg":"RS384","typ":"at+jwt","kid":"rsa"}"#;
    assert_eq!(
        verifier
            .verify_owned::<Value>(&token(header, |_| Vec::new()), NOW)
            .unwrap_err(),
        Error::AlgorithmNotAllowed
    );
}

/// The order of P-256 (FIPS 186-5).
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

#[test]
fn jwt_19_ecdsa_is_raw_and_its_numbers_are_in_range() {
    let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
    let public = key.verifying_key();
    let signature = key.sign(b"message").unwrap();
    let (r, s) = signature.split_at(32);
    let zero = [0; 32];
    for wrong in [
        [P256_ORDER.as_slice(), s].concat(),
        [r, &P256_ORDER].concat(),
        [zero.as_slice(), s].concat(),
        [r, &zero].concat(),
        der(r, s),
    ] {
        assert_eq!(
            public.verify(b"message", &wrong),
            Err(Error::SignatureInvalid),
            "{wrong:?}"
        );
    }
}

/// SEQUENCE of two INTEGERs, as everybody but JOSE writes it.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| [&[2, 33, 0], number].concat();
    let body = [integer(r), integer(s)].concat();
    [&[0x30, u8::try_from(body.len()).unwrap()], body.as_slice()].concat()
}

#[test]
fn jwt_19_the_salt_of_pss_is_as_long_as_the_hash() {
    let key = AnyVerifyingKey::from_pem(&odd_key("rsa_spki"), Algorithm::Ps256).unwrap();
    let check = |name: &str| {
        let signature = base64url::decode(&odd_key(name)).unwrap();
        key.verify(odd_key("message").as_bytes(), &signature)
    };
    assert_eq!(check("pss_salt_32"), Ok(()));
    for other in ["pss_salt_20", "pss_salt_0", "pss_salt_longest"] {
        assert_eq!(check(other), Err(Error::SignatureInvalid), "{other}");
    }
}

#[test]
fn jwt_19_rsa_signatures_have_the_length_of_the_modulus() {
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256] {
        let key = AnySigningKey::generate(algorithm).unwrap();
        let signature = key.sign(b"message").unwrap();
        for wrong in [
            signature[1..].to_vec(),
            [&[0], signature.as_slice()].concat(),
            [signature.as_slice(), &[0]].concat(),
            vec![0; signature.len()],
            vec![0xff; signature.len()],
            [vec![0; signature.len() - 1], vec![1]].concat(),
            Vec::new(),
        ] {
            assert_eq!(
                key.verifying_key().verify(b"message", &wrong),
                Err(Error::SignatureInvalid),
                "{algorithm}"
            );
        }
    }
}
