//! Headers: algorithms, key ids, types, extensions.

use carnet_jose::{Algorithm, AnySigningKey, AnyVerifyingKey, Error, KeySet, base64url};
use serde_json::Value;

use crate::fixture::{Fixture, HEADER, NOW, builder, claims};

#[test]
fn a_token_that_keeps_to_the_policy_is_accepted() {
    let fixture = Fixture::new();
    assert_eq!(fixture.with_header(HEADER), Ok(()));
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/at+JWT"] {
        assert_eq!(
            fixture.with_header(&format!(r#"{{"alg":"ES256","typ":"{typ}","kid":"k1"}}"#)),
            Ok(()),
            "{typ}"
        );
    }
}

#[test]
fn jwt_01_none_cannot_be_written_down() {
    let fixture = Fixture::new();
    let payload = base64url::encode(claims().to_string().as_bytes());
    for alg in ["\"none\"", "\"None\"", "\"nOnE\"", "\"NONE\"", "\"\"", "null"] {
        let header = base64url::encode(format!(r#"{{"alg":{alg},"typ":"at+jwt","kid":"k1"}}"#).as_bytes());
        for token in [
            format!("{header}.{payload}."),
            format!("{header}.{payload}"),
            format!("{header}.{payload}.AA"),
        ] {
            assert!(fixture.check(&token).is_err(), "{alg}");
        }
        assert!(
            fixture
                .with_header(&format!(r#"{{"alg":{alg},"typ":"at+jwt","kid":"k1"}}"#))
                .is_err()
        );
    }
    assert_eq!(
        fixture.with_header(r#"{"typ":"at+jwt","kid":"k1"}"#),
        Err(Error::HeaderInvalid)
    );
    assert_eq!(Algorithm::from_name("none"), None);
}

#[test]
fn jwt_02_public_key_as_hmac_secret() {
    let rsa = AnySigningKey::generate(Algorithm::Rs256).unwrap();
    let set = KeySet::new(vec![(Some("k1".to_owned()), rsa.verifying_key())]).unwrap();
    let verifier = builder(set)
        .algorithms(&[Algorithm::Rs256, Algorithm::Hs256])
        .build()
        .unwrap();
    let pem = rsa.verifying_key().to_spki_pem().unwrap();
    let signed = format!(
        "{}.{}",
        base64url::encode(br#"{"alg":"HS256","typ":"at+jwt","kid":"k1"}"#),
        base64url::encode(claims().to_string().as_bytes())
    );
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let body = body.trim_end_matches('=').replace('+', "-").replace('/', "_");
    // PKCS#1 is what follows the 24 bytes of SubjectPublicKeyInfo around an RSA key.
    let der = base64url::decode(&body).unwrap();
    let pkcs1 = der[24..].to_vec();
    for secret in [
        pem.clone().into_bytes(),
        pem.replace('\n', "\r\n").into_bytes(),
        pem.trim_end().as_bytes().to_vec(),
        der,
        pkcs1,
        crate::fixture::odd_key("rsa_pkcs1").into_bytes(),
    ] {
        let mac = carnet_jose::primitive::hmac_sha256(&secret, &[signed.as_bytes()]);
        let token = format!("{signed}.{}", base64url::encode(&mac));
        assert_eq!(
            verifier.verify_owned::<Value>(&token, NOW).unwrap_err(),
            Error::AlgorithmMismatch
        );
        assert_eq!(
            AnyVerifyingKey::from_secret(&secret, Algorithm::Hs256).unwrap_err(),
            Error::KeyLooksPublic
        );
    }
    let jwk = serde_json::to_string(&rsa.verifying_key().to_jwk().unwrap()).unwrap();
    assert_eq!(
        AnyVerifyingKey::from_secret(jwk.as_bytes(), Algorithm::Hs256).unwrap_err(),
        Error::KeyLooksPublic
    );
}

#[test]
fn jwt_05_a_token_does_not_say_who_may_sign_it() {
    let fixture = Fixture::new();
    let attacker = AnySigningKey::generate(Algorithm::Es256).unwrap();
    let jwk = serde_json::to_string(&attacker.verifying_key().to_jwk().unwrap()).unwrap();
    for member in [
        format!("\"jwk\":{jwk}"),
        r#""jku":"http://canary.test/k""#.into(),
        r#""x5u":"http://canary.test/k""#.into(),
        r#""x5c":["AAAA"]"#.into(),
    ] {
        for kid in ["k1", "random"] {
            let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}",{member}}}"#);
            let signed = format!(
                "{}.{}",
                base64url::encode(header.as_bytes()),
                base64url::encode(claims().to_string().as_bytes())
            );
            let token = format!(
                "{signed}.{}",
                base64url::encode(&attacker.sign(signed.as_bytes()).unwrap())
            );
            let expected = if kid == "k1" {
                Error::SignatureInvalid
            } else {
                Error::UnknownKeyId
            };
            assert_eq!(fixture.check(&token), Err(expected));
        }
    }
}

#[test]
fn jwt_06_kid_is_an_opaque_name() {
    let fixture = Fixture::new();
    let kid = |kid: &str| fixture.with_header(&format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":{kid}}}"#));
    for odd in [
        r#""../../../../dev/null""#,
        r#""' OR 1=1--""#,
        r#""a\u0000b""#,
        r#""K1""#,
    ] {
        assert_eq!(kid(odd), Err(Error::UnknownKeyId), "{odd}");
    }
    for odd in [
        "7",
        r#"["k1"]"#,
        r#""""#,
        "null",
        &format!("\"{}\"", "A".repeat(129)),
    ] {
        assert_eq!(kid(odd), Err(Error::HeaderInvalid), "{odd}");
    }
    assert_eq!(
        kid(&format!("\"{}\"", "A".repeat(65_536))),
        Err(Error::TokenTooLarge)
    );
}

#[test]
fn jwt_08_crit_and_b64_are_refused() {
    let fixture = Fixture::new();
    for member in [
        r#""crit":["bork"],"bork":1"#,
        r#""crit":[]"#,
        r#""crit":"exp""#,
        r#""crit":["alg"]"#,
        r#""crit":["x","x"],"x":1"#,
        r#""crit":["x"]"#,
        r#""b64":false,"crit":["b64"]"#,
        r#""b64":false"#,
        r#""crit":null"#,
    ] {
        let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"k1",{member}}}"#);
        assert_eq!(
            fixture.with_header(&header),
            Err(Error::CriticalHeader),
            "{member}"
        );
    }
}

#[test]
fn token_types_are_told_apart() {
    let fixture = Fixture::new();
    for typ in [
        r#","typ":"JWT""#,
        r#","typ":"logout+jwt""#,
        "",
        r#","typ":"application/jwt""#,
        r#","typ":"at+jwtx""#,
    ] {
        assert_eq!(
            fixture.with_header(&format!(r#"{{"alg":"ES256","kid":"k1"{typ}}}"#)),
            Err(Error::TokenTypeMismatch),
            "{typ}"
        );
    }
    assert_eq!(
        fixture.with_header(r#"{"alg":"ES256","kid":"k1","typ":7}"#),
        Err(Error::HeaderInvalid)
    );
}

/// RFC 7515 §4.1: a member of the wrong type is wrong, also where nobody acts on it.
#[test]
fn registered_members_have_the_types_of_the_rfc() {
    let fixture = Fixture::new();
    let with = |member: &str| {
        fixture.with_header(&format!(
            r#"{{"alg":"ES256","typ":"at+jwt","kid":"k1",{member}}}"#
        ))
    };
    for name in ["jku", "x5u", "x5t", "x5t#S256", "cty"] {
        assert_eq!(with(&format!(r#""{name}":"text""#)), Ok(()), "{name}");
        for value in ["7", "null", "[]", "{}", "true"] {
            let wrong = with(&format!(r#""{name}":{value}"#));
            assert_eq!(wrong, Err(Error::HeaderInvalid), "{name}: {value}");
        }
    }
    assert_eq!(with(r#""x5c":["AAAA","AAAA"]"#), Ok(()));
    for value in [r#""AAAA""#, "[7]", r#"["AAAA",null]"#, "null", "{}"] {
        assert_eq!(
            with(&format!(r#""x5c":{value}"#)),
            Err(Error::HeaderInvalid),
            "{value}"
        );
    }
    assert_eq!(with(r#""jwk":{"kty":"EC"}"#), Ok(()));
    for value in [r#""AAAA""#, "[]", "null", "7"] {
        assert_eq!(
            with(&format!(r#""jwk":{value}"#)),
            Err(Error::HeaderInvalid),
            "{value}"
        );
    }
    assert_eq!(with(r#""foo":7"#), Ok(()));
}
