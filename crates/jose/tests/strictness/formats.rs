//! Keys as they arrive: PEM, DER and JWK, and what is wrong with them.

use carnet_jose::{
    Algorithm, AnySigningKey, AnyVerifyingKey, Error, Jwk, KeySet, Signer, TokenType, base64url,
};
use serde_json::{Value, json};

use crate::fixture::odd_key;

fn public(algorithm: Algorithm) -> Value {
    let key = AnySigningKey::generate(algorithm).unwrap().verifying_key();
    serde_json::to_value(key.to_jwk().unwrap()).unwrap()
}

fn private(algorithm: Algorithm) -> Value {
    let key = AnySigningKey::generate(algorithm).unwrap();
    serde_json::from_str(&key.to_jwk_private().unwrap()).unwrap()
}

#[test]
fn a_member_of_the_wrong_type_is_wrong_and_not_absent() {
    let rsa = public(Algorithm::Rs256);
    for (name, value) in [
        ("alg", json!(7)),
        ("alg", Value::Null),
        ("kid", json!(7)),
        ("kid", json!(["k1"])),
        ("use", json!(["sig"])),
        ("use", Value::Null),
        ("key_ops", json!("verify")),
        ("key_ops", json!(["verify", 7])),
        ("key_ops", json!(["verify", "verify"])),
    ] {
        let mut odd = rsa.clone();
        odd[name] = value.clone();
        assert_eq!(
            Jwk::parse(&odd.to_string()).unwrap_err(),
            Error::KeyInvalid,
            "{name} {value}"
        );
        let set = json!({ "keys": [odd] }).to_string();
        let parsed = KeySet::from_jwks_json(set.as_bytes(), &[Algorithm::Rs256, Algorithm::Ps256]).unwrap();
        assert_eq!(parsed.set.len(), 0, "{name} {value}");
        assert_eq!(parsed.skipped[0].reason, Error::KeyInvalid, "{name} {value}");
    }
}

#[test]
fn an_rsa_key_with_more_than_two_primes_is_not_supported() {
    let mut rsa = private(Algorithm::Rs256);
    rsa["oth"] = json!([{ "r": "AQAB", "d": "AQAB", "t": "AQAB" }]);
    assert_eq!(
        AnySigningKey::from_jwk(&rsa.to_string()).unwrap_err(),
        Error::KeyUnsupported
    );
}

#[test]
fn coordinates_and_scalars_have_their_full_length() {
    for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512] {
        let key = private(algorithm);
        for name in ["x", "y", "d"] {
            let bytes = carnet_jose::base64url::decode(key[name].as_str().unwrap()).unwrap();
            for changed in [[&[0], bytes.as_slice()].concat(), bytes[1..].to_vec()] {
                let mut odd = key.clone();
                odd[name] = carnet_jose::base64url::encode(&changed).into();
                assert_eq!(
                    AnySigningKey::from_jwk(&odd.to_string()).unwrap_err(),
                    Error::KeyInvalid,
                    "{algorithm} {name}"
                );
            }
        }
    }
    // One scalar in 256 begins with a zero byte, which must be written.
    for _ in 0..300 {
        let key = private(Algorithm::Es256);
        assert_eq!(key["d"].as_str().unwrap().len(), 43);
    }
}

#[test]
fn a_point_beside_the_curve_is_no_key() {
    for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512] {
        let mut key = public(algorithm);
        let x = key["x"].clone();
        key["x"] = key["y"].clone();
        key["y"] = x;
        let jwk = Jwk::parse(&key.to_string()).unwrap();
        assert_eq!(AnyVerifyingKey::from_jwk(&jwk).unwrap_err(), Error::KeyInvalid);
    }
}

#[test]
fn der_is_what_its_name_says() {
    let ed = public(Algorithm::Ed25519);
    let raw = carnet_jose::base64url::decode(ed["x"].as_str().unwrap()).unwrap();
    assert_eq!(
        AnyVerifyingKey::from_spki_der(&raw, Algorithm::Ed25519).unwrap_err(),
        Error::KeyInvalid
    );
    let p384 = AnySigningKey::generate(Algorithm::Es384).unwrap().verifying_key();
    for other in [Algorithm::Es256, Algorithm::Ed25519, Algorithm::Rs256] {
        assert_eq!(
            AnyVerifyingKey::from_pem(&p384.to_spki_pem().unwrap(), other).unwrap_err(),
            Error::KeyMismatch,
            "{other}"
        );
    }
    let (spki, pkcs1) = (odd_key("rsa_spki"), odd_key("rsa_pkcs1"));
    let read = |text: &str| AnyVerifyingKey::from_pem(text, Algorithm::Rs256);
    assert_eq!(
        read(&spki).unwrap().thumbprint(),
        read(&pkcs1).unwrap().thumbprint()
    );
    let mislabelled = pkcs1.replace("RSA PUBLIC KEY", "PUBLIC KEY");
    assert_eq!(read(&mislabelled).unwrap_err(), Error::KeyInvalid);
    let mislabelled = spki.replace("PUBLIC KEY", "RSA PUBLIC KEY");
    assert_eq!(read(&mislabelled).unwrap_err(), Error::KeyInvalid);
    assert_eq!(
        AnyVerifyingKey::from_pem(&pkcs1, Algorithm::Es256).unwrap_err(),
        Error::KeyMismatch
    );
    let pss = odd_key("rsa_pss_object_identifier");
    assert!(AnyVerifyingKey::from_pem(&pss, Algorithm::Rs256).is_err());
}

#[test]
fn jwt_19_weak_rsa_keys_are_refused() {
    let read = |name: &str| AnyVerifyingKey::from_pem(&odd_key(name), Algorithm::Rs256).unwrap_err();
    assert_eq!(read("rsa_1024_bits"), Error::KeyTooShort);
    assert_eq!(read("rsa_exponent_3"), Error::KeyInvalid);
    let roca = Jwk::parse(&odd_key("roca")).unwrap();
    assert_eq!(AnyVerifyingKey::from_jwk(&roca).unwrap_err(), Error::KeyWeak);
}

#[test]
fn an_ed25519_key_for_which_anybody_can_sign_is_refused() {
    let order_8 = [
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ];
    let near = |first: &str, middle: &str, last: &str| format!("{first}{}{last}", middle.repeat(30));
    let mut points: Vec<String> = order_8.map(str::to_owned).into();
    points.extend(["00", "01"].map(|first| near(first, "00", "00")));
    points.extend(["ec", "ed", "ee"].map(|first| near(first, "ff", "7f")));
    for point in points {
        let mut bytes: Vec<u8> = (0..64)
            .step_by(2)
            .map(|at| u8::from_str_radix(&point[at..at + 2], 16).unwrap())
            .collect();
        for sign in [0, 0x80] {
            bytes[31] = bytes[31] & 0x7f | sign;
            let jwk = format!(
                r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#,
                base64url::encode(&bytes)
            );
            let error = AnyVerifyingKey::from_jwk(&Jwk::parse(&jwk).unwrap()).unwrap_err();
            assert_eq!(error, Error::KeyWeak, "{point} {sign}");
            let spki = [&SPKI_OF_ED25519[..], &bytes].concat();
            let error = AnyVerifyingKey::from_spki_der(&spki, Algorithm::Ed25519).unwrap_err();
            assert_eq!(error, Error::KeyWeak, "{point} {sign}");
        }
    }
}

/// What stands before the 32 bytes of the point (RFC 8410 §4).
const SPKI_OF_ED25519: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

#[test]
fn ds_04_deep_and_wide_sets_are_refused() {
    let parse = |text: String| KeySet::from_jwks_json(text.as_bytes(), &[Algorithm::Es256]).unwrap_err();
    let nested = |depth: usize| format!(r#"{{"keys":[],"x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert_eq!(parse(nested(100_000)), Error::JsonInvalid);
    assert_eq!(parse(nested(32)), Error::JsonInvalid);
    assert!(KeySet::from_jwks_json(nested(31).as_bytes(), &[Algorithm::Es256]).is_ok());
    let keys = |count: usize| format!(r#"{{"keys":[{}]}}"#, vec!["{}"; count].join(","));
    assert_eq!(parse(keys(1_000_000)), Error::SetTooLarge);
    assert_eq!(parse(keys(101)), Error::SetTooLarge);
    let deep_key = "{\"a\":".repeat(50_000);
    assert_eq!(Jwk::parse(&deep_key).unwrap_err(), Error::JsonInvalid);
}

#[test]
fn a_padded_modulus_is_the_same_key() {
    let rsa = public(Algorithm::Rs256);
    let mut padded = rsa.clone();
    let n = carnet_jose::base64url::decode(rsa["n"].as_str().unwrap()).unwrap();
    padded["n"] = carnet_jose::base64url::encode(&[&[0], n.as_slice()].concat()).into();
    let thumbprint = |key: &Value| {
        let jwk = Jwk::parse(&key.to_string()).unwrap();
        AnyVerifyingKey::from_jwk(&jwk).unwrap().thumbprint().unwrap()
    };
    assert_eq!(thumbprint(&rsa), thumbprint(&padded));
}

#[test]
fn jwt_20_a_key_file_is_no_secret() {
    let spki = odd_key("rsa_spki");
    let der = |text: &str| {
        let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let body = body.trim_end_matches('=').replace('+', "-").replace('/', "_");
        carnet_jose::base64url::decode(&body).unwrap()
    };
    let jwk = private(Algorithm::Es256);
    for secret in [
        spki.clone().into_bytes(),
        odd_key("rsa_pkcs1").into_bytes(),
        format!("\n {spki}").into_bytes(),
        der(&spki),
        der(&odd_key("rsa_pkcs1")),
        jwk.to_string().into_bytes(),
        json!({ "keys": [jwk] }).to_string().into_bytes(),
        format!("\u{feff}{spki}").into_bytes(),
        format!("# my key\nBag Attributes\n{spki}").into_bytes(),
        format!("\"{spki}\"").into_bytes(),
        spki.lines()
            .filter(|line| !line.starts_with('-'))
            .collect::<String>()
            .into_bytes(),
        json!([jwk]).to_string().into_bytes(),
        format!("\u{feff} {jwk}").into_bytes(),
        jwk.to_string().replace("kty", "\\u006bty").into_bytes(),
        AnySigningKey::generate(Algorithm::Es256)
            .unwrap()
            .to_pkcs8_der()
            .unwrap()
            .to_vec(),
        AnySigningKey::generate(Algorithm::Es256)
            .unwrap()
            .to_traditional_der()
            .unwrap()
            .to_vec(),
        b"---- BEGIN SSH2 PUBLIC KEY ----\nAAAAB3NzaC1yc2EAAAADAQABAAABAQ".to_vec(),
        b"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAI me@host".to_vec(),
        b"no-pty ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFh0qz2 me@host".to_vec(),
    ] {
        for read in [
            AnySigningKey::from_secret(&secret, Algorithm::Hs256).map(|_| ()),
            AnyVerifyingKey::from_secret(&secret, Algorithm::Hs256).map(|_| ()),
        ] {
            assert_eq!(read, Err(Error::KeyLooksPublic), "{}", secret.escape_ascii());
        }
    }
}

#[test]
fn no_random_secret_is_taken_for_a_key() {
    for _ in 0..10_000 {
        let secret = carnet_jose::AnySigningKey::generate(Algorithm::Hs256)
            .unwrap()
            .to_jwk_private()
            .unwrap();
        let secret = serde_json::from_str::<Value>(&secret).unwrap()["k"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(
            AnySigningKey::from_secret(secret.as_bytes(), Algorithm::Hs256).is_ok(),
            "{secret}"
        );
    }
}

#[test]
fn a_signer_gives_its_key_no_name_that_a_verifier_refuses() {
    for (kid, expected) in [
        (String::new(), Err(Error::KeyInvalid)),
        ("k".repeat(129), Err(Error::KeyInvalid)),
        ("k".repeat(128), Ok(())),
    ] {
        let key = AnySigningKey::generate(Algorithm::Ed25519).unwrap();
        let made = Signer::new(key, TokenType::Jwt, Some(kid)).map(|_| ());
        assert_eq!(made, expected);
    }
}

/// RFC 8037 §2, RFC 9964 §3: the member is the key itself, not a document around it.
#[test]
fn a_jwk_holds_the_bare_public_key() {
    for (algorithm, member) in [
        (Algorithm::Ed25519, "x"),
        (Algorithm::MlDsa44, "pub"),
        (Algorithm::MlDsa65, "pub"),
        (Algorithm::MlDsa87, "pub"),
    ] {
        let key = AnySigningKey::generate(algorithm).unwrap().verifying_key();
        let mut jwk = serde_json::to_value(key.to_jwk().unwrap().with_kid("k1")).unwrap();
        jwk[member] = carnet_jose::base64url::encode(key.to_spki_der().unwrap()).into();
        let parsed = Jwk::parse(&jwk.to_string()).unwrap();
        assert_eq!(
            AnyVerifyingKey::from_jwk(&parsed).unwrap_err(),
            Error::KeyInvalid,
            "{algorithm}"
        );
        let set = json!({ "keys": [jwk] }).to_string();
        let parsed = KeySet::from_jwks_json(set.as_bytes(), &[algorithm]).unwrap();
        assert!(parsed.set.is_empty(), "{algorithm}");
        assert_eq!(parsed.skipped[0].reason, Error::KeyInvalid, "{algorithm}");
    }
}

/// RFC 7468 §2 allows text in front; OpenSSL's `ecparam -genkey` writes the curve there.
#[test]
fn what_stands_around_a_pem_key_is_passed_over() {
    let text = odd_key("ec_parameters");
    let key = AnySigningKey::from_pem(&text, Algorithm::Es256).unwrap();
    let pem = key.to_pkcs8_pem().unwrap();
    for around in [
        format!("\u{feff}{}", pem.as_str()),
        format!("Bag Attributes\n  localKeyID: 01\n{}", pem.as_str()),
        format!("\u{feff}\r\na key\r\n{}", pem.replace('\n', "\r\n")),
        format!("made today\n{text}"),
        text.replace('\n', "\r\n"),
        // Blank lines behind are what `echo` and editors leave.
        format!("{}\n\r\n  \n", pem.as_str()),
    ] {
        let read = AnySigningKey::from_pem(&around, Algorithm::Es256).unwrap();
        assert_eq!(read.thumbprint(), key.thumbprint(), "{around}");
    }
    for bad in [
        format!("{}{}", pem.as_str(), pem.as_str()),
        format!("{}\nand more", pem.as_str()),
        format!("{text}{}", pem.as_str()),
        format!("a key {}", pem.as_str()),
        text.replace("-----END EC PARAMETERS-----\n", ""),
    ] {
        let refused = AnySigningKey::from_pem(&bad, Algorithm::Es256);
        assert_eq!(refused.unwrap_err(), Error::KeyInvalid, "{bad}");
    }
}

#[test]
fn a_private_key_of_a_kind_that_no_algorithm_takes_is_unsupported_not_broken() {
    for (name, algorithm) in [
        ("ed448_private", Algorithm::Ed25519),
        ("ed448_private", Algorithm::Rs256),
        ("rsa_pss_private", Algorithm::Ps256),
        ("openssh_private", Algorithm::Ed25519),
    ] {
        let refused = AnySigningKey::from_pem(&odd_key(name), algorithm);
        assert_eq!(refused.unwrap_err(), Error::KeyUnsupported, "{name} {algorithm}");
    }
}

#[test]
fn a_private_key_of_another_kind_is_called_so() {
    for (algorithm, others) in [
        (Algorithm::Es256, [Algorithm::Es384, Algorithm::Ed25519]),
        (Algorithm::Ed25519, [Algorithm::Rs256, Algorithm::Es256]),
        (Algorithm::MlDsa44, [Algorithm::MlDsa65, Algorithm::Es256k]),
    ] {
        let pem = AnySigningKey::generate(algorithm)
            .unwrap()
            .to_pkcs8_pem()
            .unwrap();
        for other in others {
            let refused = AnySigningKey::from_pem(&pem, other).err();
            assert_eq!(refused, Some(Error::KeyMismatch), "{algorithm} for {other}");
        }
    }
}
