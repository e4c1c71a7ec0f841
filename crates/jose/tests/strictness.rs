//! The strictness list: each refusal is a test, named after its row of the attack catalogue where it has one.

use std::sync::Arc;
use std::time::Duration;

use carnet_jose::{
    Algorithm, AnySigningKey, AnyVerifyingKey, Error, Jwk, KeySet, Signer, TokenType, Verifier, base64url,
};
use serde_json::{Value, json};

const ISSUER: &str = "https://as.test";
const AUDIENCE: &str = "https://api.test";
const NOW: u64 = 1_800_000_000;

/// A key, the verifier that trusts it, and a way to sign any bytes with it.
struct Fixture {
    key: AnySigningKey,
    verifier: Verifier,
}

impl Fixture {
    fn new() -> Self {
        let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
        let set = KeySet::new(vec![(Some("k1".to_owned()), key.verifying_key())]).unwrap();
        Self {
            key,
            verifier: builder(set).build().unwrap(),
        }
    }

    /// Signs these very bytes as header and payload.
    fn raw(&self, header: &str, payload: &[u8]) -> String {
        let signed = format!(
            "{}.{}",
            base64url::encode(header.as_bytes()),
            base64url::encode(payload)
        );
        format!(
            "{signed}.{}",
            base64url::encode(&self.key.sign(signed.as_bytes()).unwrap())
        )
    }

    fn with_header(&self, header: &str) -> Result<(), Error> {
        self.check(&self.raw(header, claims().to_string().as_bytes()))
    }

    fn with_payload(&self, payload: &[u8]) -> Result<(), Error> {
        self.check(&self.raw(HEADER, payload))
    }

    fn with_claim(&self, name: &str, value: &str) -> Result<(), Error> {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        let rest = claims.to_string();
        self.with_payload(format!("{{\"{name}\":{value},{}", &rest[1..]).as_bytes())
    }

    fn check(&self, token: &str) -> Result<(), Error> {
        self.verifier.verify_owned::<Value>(token, NOW).map(|_| ())
    }
}

const HEADER: &str = r#"{"alg":"ES256","typ":"at+jwt","kid":"k1"}"#;

fn builder(set: KeySet) -> carnet_jose::VerifierBuilder {
    Verifier::builder(Arc::new(set))
        .algorithms(&[Algorithm::Es256])
        .token_type(TokenType::AccessToken)
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .require(&["sub", "client_id"])
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "client_id": "web", "iat": NOW, "exp": NOW + 900, "jti": "x" })
}

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
    for secret in [pem.clone(), pem.replace('\n', "\r\n"), pem.trim_end().to_owned()] {
        let mac = carnet_jose::primitive::hmac_sha256(secret.as_bytes(), &[signed.as_bytes()]);
        let token = format!("{signed}.{}", base64url::encode(&mac));
        assert_eq!(
            verifier.verify_owned::<Value>(&token, NOW).unwrap_err(),
            Error::AlgorithmMismatch
        );
        assert_eq!(
            AnyVerifyingKey::from_secret(secret.as_bytes(), Algorithm::Hs256).unwrap_err(),
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
fn jwt_04_a_key_has_one_algorithm_and_one_use() {
    let rsa = AnySigningKey::generate(Algorithm::Rs256).unwrap();
    let jwk = rsa.verifying_key().to_jwk().unwrap();
    for other in [Algorithm::Ps256, Algorithm::Rs512, Algorithm::Es256] {
        assert_eq!(
            AnyVerifyingKey::from_jwk_as(&jwk, other).unwrap_err(),
            Error::KeyMismatch
        );
    }
    let ec = AnySigningKey::generate(Algorithm::Es384)
        .unwrap()
        .verifying_key()
        .to_spki_pem()
        .unwrap();
    assert!(AnyVerifyingKey::from_pem(&ec, Algorithm::Es256).is_err());
    let text = serde_json::to_string(&jwk).unwrap();
    for member in [r#""use":"enc","#, r#""key_ops":["encrypt"],"#] {
        let changed = Jwk::parse(&text.replacen('{', &format!("{{{member}"), 1)).unwrap();
        assert_eq!(
            AnyVerifyingKey::from_jwk(&changed).unwrap_err(),
            Error::KeyUnsupported
        );
    }
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
fn jwt_09_duplicate_members_are_refused() {
    let fixture = Fixture::new();
    assert_eq!(
        fixture.with_payload(br#"{"sub":"alice","sub":"bob"}"#),
        Err(Error::DuplicateMember)
    );
    assert_eq!(
        fixture.with_header(r#"{"alg":"ES256","alg":"none","typ":"at+jwt","kid":"k1"}"#),
        Err(Error::DuplicateMember)
    );
}

#[test]
fn jwt_10_duplicates_hidden_by_escapes_or_nesting_are_refused() {
    let fixture = Fixture::new();
    assert_eq!(
        fixture.with_payload(br#"{"sub":"alice","\u0073ub":"bob"}"#),
        Err(Error::DuplicateMember)
    );
    for nested in ["cnf", "act", "other"] {
        let payload = format!(r#"{{"{nested}":{{"jkt":"A","jkt":"B"}}}}"#);
        assert_eq!(
            fixture.with_payload(payload.as_bytes()),
            Err(Error::DuplicateMember)
        );
    }
    assert_eq!(fixture.with_payload(b"\xef\xbb\xbf{}"), Err(Error::JsonInvalid));
}

#[test]
fn jwt_12_only_the_compact_form_is_a_token() {
    let fixture = Fixture::new();
    let good = fixture.raw(HEADER, claims().to_string().as_bytes());
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (protected, payload) = head.split_once('.').unwrap();
    let flattened =
        format!(r#"{{"protected":"{protected}","payload":"{payload}","signature":"{signature}"}}"#);
    for token in [
        flattened.as_str(),
        "",
        "a",
        "a.b",
        "a.b.c.d",
        "ä.b.c",
        &format!(" {good}"),
        &format!("{good}\n"),
        &format!("{good}="),
        &good.replacen('.', "..", 1),
    ] {
        assert!(fixture.check(token).is_err(), "{token}");
    }
    assert_eq!(fixture.check("a.b.c.d.e"), Err(Error::EncryptedToken));
    // A last character whose unused bits are not zero is another spelling of the same signature.
    let last = signature.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let other = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
    let respelled = format!("{}{other}", &good[..good.len() - 1]);
    assert_eq!(fixture.check(&respelled), Err(Error::Base64Invalid));
}

#[test]
fn jwt_13_a_claim_of_the_wrong_type_is_wrong_and_not_absent() {
    let fixture = Fixture::new();
    for value in [r#""9999999999""#, "-1", "null", "[]", "true", "{}", "1e300"] {
        for name in ["exp", "nbf", "iat"] {
            assert_eq!(
                fixture.with_claim(name, value),
                Err(Error::ClaimWrongType),
                "{name} {value}"
            );
        }
    }
    assert_eq!(fixture.with_claim("exp", "1e400"), Err(Error::JsonInvalid));
    for (name, value) in [
        ("aud", "123"),
        ("aud", "[]"),
        ("aud", "[1]"),
        ("aud", "null"),
        ("iss", r#"["https://as.test"]"#),
        ("iss", "null"),
        ("sub", "7"),
        ("jti", "{}"),
    ] {
        assert_eq!(
            fixture.with_claim(name, value),
            Err(Error::ClaimWrongType),
            "{name} {value}"
        );
    }
    for name in ["iss", "aud", "exp", "sub", "client_id"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        assert_eq!(
            fixture.with_payload(claims.to_string().as_bytes()),
            Err(Error::ClaimMissing),
            "{name}"
        );
    }
    assert_eq!(
        fixture.with_claim("exp", &format!("{}.5", NOW + 10)),
        Ok(()),
        "a NumericDate may have a fraction"
    );
}

#[test]
fn jwt_15_issuer_and_audience_are_compared_byte_for_byte() {
    let fixture = Fixture::new();
    for issuer in [
        "https://as.test/",
        "https://AS.test",
        "https://as.test:443",
        "https://as.test@evil",
        "https://as.test.evil",
        "http://as.test",
        "",
    ] {
        assert_eq!(
            fixture.with_claim("iss", &format!("\"{issuer}\"")),
            Err(Error::IssuerMismatch),
            "{issuer}"
        );
    }
    for audience in [
        r#""https://api.test/""#,
        r#"["https://other.test"]"#,
        r#""https://api.tes""#,
    ] {
        assert_eq!(
            fixture.with_claim("aud", audience),
            Err(Error::AudienceMismatch),
            "{audience}"
        );
    }
    assert_eq!(
        fixture.with_claim("aud", r#"["https://other.test","https://api.test"]"#),
        Ok(())
    );
}

#[test]
fn jwt_19_signatures_have_one_length_and_zero_is_none() {
    for algorithm in [
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Es512,
        Algorithm::Ed25519,
        Algorithm::Hs256,
    ] {
        let key = AnySigningKey::generate(algorithm).unwrap();
        let signature = key.sign(b"message").unwrap();
        let public = key.verifying_key();
        assert_eq!(public.verify(b"message", &signature), Ok(()));
        for wrong in [
            vec![0; signature.len()],
            signature[1..].to_vec(),
            [&[0], signature.as_slice()].concat(),
            Vec::new(),
            vec![0xff; signature.len()],
        ] {
            assert_eq!(
                public.verify(b"message", &wrong),
                Err(Error::SignatureInvalid),
                "{algorithm}"
            );
        }
        let half = signature.len() / 2;
        for zeroed in [
            [vec![0; half], signature[half..].to_vec()].concat(),
            [signature[..half].to_vec(), vec![0; half]].concat(),
        ] {
            assert_eq!(
                public.verify(b"message", &zeroed),
                Err(Error::SignatureInvalid),
                "{algorithm}"
            );
        }
    }
}

#[test]
fn jwt_20_weak_and_empty_secrets_are_refused() {
    for (algorithm, least) in [
        (Algorithm::Hs256, 32),
        (Algorithm::Hs384, 48),
        (Algorithm::Hs512, 64),
    ] {
        for secret in [&b""[..], b"secret", &vec![7; least - 1]] {
            assert_eq!(
                AnySigningKey::from_secret(secret, algorithm).unwrap_err(),
                Error::KeyTooShort
            );
            assert_eq!(
                AnyVerifyingKey::from_secret(secret, algorithm).unwrap_err(),
                Error::KeyTooShort
            );
        }
        assert!(AnySigningKey::from_secret(&vec![7; least], algorithm).is_ok());
    }
}

#[test]
fn jwt_22_monster_tokens_are_refused_before_anything_is_decoded() {
    let fixture = Fixture::new();
    assert_eq!(fixture.check(&".".repeat(10_000_000)), Err(Error::TokenTooLarge));
    assert_eq!(
        fixture.check(&format!("{}.a.b", "A".repeat(9_000))),
        Err(Error::TokenTooLarge)
    );
    assert_eq!(fixture.check(&".".repeat(200)), Err(Error::Malformed));
}

#[test]
fn jwt_23_a_payload_is_one_json_object_in_utf8() {
    let fixture = Fixture::new();
    let deep = [b"{\"a\":".repeat(40), b"1".to_vec(), b"}".repeat(40)].concat();
    for payload in [
        &b"[]"[..],
        b"\"x\"",
        b"null",
        b"1",
        b"",
        b"{\"sub\":\"\xc0\xae\"}",
        br#"{"sub":"\uD800"}"#,
        b"{\0\"\0a\0",
        &deep,
    ] {
        assert_eq!(
            fixture.with_payload(payload),
            Err(Error::JsonInvalid),
            "{payload:?}"
        );
    }
}

#[test]
fn time_has_leeway_that_cannot_overflow() {
    let fixture = Fixture::new();
    assert_eq!(fixture.with_claim("exp", &(NOW - 29).to_string()), Ok(()));
    assert_eq!(
        fixture.with_claim("exp", &(NOW - 30).to_string()),
        Err(Error::Expired)
    );
    assert_eq!(fixture.with_claim("nbf", &(NOW + 30).to_string()), Ok(()));
    assert_eq!(
        fixture.with_claim("nbf", &(NOW + 31).to_string()),
        Err(Error::NotYetValid)
    );
    assert_eq!(fixture.with_claim("exp", &u64::MAX.to_string()), Ok(()));
    assert_eq!(
        fixture.with_claim("nbf", &u64::MAX.to_string()),
        Err(Error::NotYetValid)
    );
    let token = fixture.raw(
        HEADER,
        claims()
            .to_string()
            .replace(&format!("\"iat\":{NOW}"), &format!("\"iat\":{}", NOW + 60))
            .as_bytes(),
    );
    assert!(
        fixture
            .verifier
            .verify_owned::<Value>(&token, NOW)
            .unwrap()
            .issued_in_future
    );
}

#[test]
fn a_policy_is_complete_or_not_built() {
    let set = || KeySet::new(Vec::new()).unwrap();
    let empty = || Verifier::builder(Arc::new(set()));
    assert_eq!(empty().build().unwrap_err(), Error::PolicyWithoutAlgorithms);
    assert_eq!(
        empty().algorithms(&[Algorithm::Es256]).build().unwrap_err(),
        Error::PolicyWithoutTokenType
    );
    let typed = || empty().algorithms(&[Algorithm::Es256]).token_type(TokenType::Jwt);
    assert_eq!(typed().build().unwrap_err(), Error::PolicyWithoutIssuer);
    assert_eq!(
        typed().without_issuer_check().build().unwrap_err(),
        Error::PolicyWithoutAudience
    );
    assert!(
        typed()
            .without_issuer_check()
            .without_audience_check()
            .build()
            .is_ok()
    );
    assert_eq!(
        builder(set())
            .leeway(Duration::from_secs(601))
            .build()
            .unwrap_err(),
        Error::PolicyLeewayTooLong
    );
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

#[test]
fn a_token_without_kid_is_accepted_when_one_key_fits() {
    let (a, b) = (
        AnySigningKey::generate(Algorithm::Es256).unwrap(),
        AnySigningKey::generate(Algorithm::Es256).unwrap(),
    );
    let keys = [a.verifying_key(), b.verifying_key()];
    let token = Signer::new(a, TokenType::AccessToken, None)
        .unwrap()
        .sign(&claims())
        .unwrap();
    let [a, b] = keys;
    let one = builder(KeySet::new(vec![(Some("a".into()), a.clone())]).unwrap())
        .build()
        .unwrap();
    assert!(one.verify_owned::<Value>(&token, NOW).is_ok());
    let two = builder(KeySet::new(vec![(Some("a".into()), a), (Some("b".into()), b)]).unwrap())
        .build()
        .unwrap();
    assert_eq!(
        two.verify_owned::<Value>(&token, NOW).unwrap_err(),
        Error::KeyIdMissing
    );
}

#[test]
fn jk_05_hostile_sets_are_refused_and_odd_keys_skipped() {
    let parse = |text: &str| KeySet::from_jwks_json(text.as_bytes(), &[Algorithm::Es256, Algorithm::Rs256]);
    let good = serde_json::to_string(
        &AnySigningKey::generate(Algorithm::Es256)
            .unwrap()
            .verifying_key()
            .to_jwk()
            .unwrap()
            .with_kid("k1"),
    )
    .unwrap();
    let private = AnySigningKey::generate(Algorithm::Es256)
        .unwrap()
        .to_jwk_private()
        .unwrap();
    assert_eq!(
        parse(&format!(r#"{{"keys":[{}]}}"#, private.as_str())).unwrap_err(),
        Error::PrivateKeyInSet
    );
    assert_eq!(
        parse(r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#).unwrap_err(),
        Error::SymmetricKeyInSet
    );
    assert_eq!(
        parse(&format!(r#"{{"keys":[{good},{good}]}}"#)).unwrap_err(),
        Error::DuplicateKeyId
    );
    assert_eq!(
        parse(&format!(
            r#"{{"keys":[{}]}}"#,
            vec!["{\"kty\":\"X\"}"; 101].join(",")
        ))
        .unwrap_err(),
        Error::SetTooLarge
    );
    assert_eq!(parse(&" ".repeat(1_100_000)).unwrap_err(), Error::SetTooLarge);
    let odd = r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA","kid":"pq"},{"kty":"EC","crv":"P-256","x":"AAAA","kid":"half"},{"kty":"RSA","use":"enc","n":"AAAA","e":"AQAB"},{"kty":"RSA","n":"AQAB","e":"AQAB"}"#;
    let parsed = parse(&format!(r#"{{"keys":[{odd},{good}]}}"#)).unwrap();
    assert_eq!((parsed.set.len(), parsed.skipped.len()), (1, 4));
    assert_eq!(parsed.skipped[0].kid.as_deref(), Some("pq"));
}

#[test]
fn every_key_survives_every_format() {
    for algorithm in Algorithm::ALL.iter().copied() {
        let key = AnySigningKey::generate(algorithm).unwrap();
        let jwk = AnySigningKey::from_jwk(&key.to_jwk_private().unwrap()).unwrap();
        assert_eq!(jwk.thumbprint(), key.thumbprint(), "{algorithm}");
        assert_eq!(
            key.verifying_key().verify(b"m", &jwk.sign(b"m").unwrap()),
            Ok(()),
            "{algorithm}"
        );
        if algorithm.is_mac() {
            assert!(key.verifying_key().to_jwk().is_err() && key.to_pkcs8_der().is_err());
            continue;
        }
        let pem = AnySigningKey::from_pem(&key.to_pkcs8_pem().unwrap(), algorithm).unwrap();
        let public =
            AnyVerifyingKey::from_pem(&key.verifying_key().to_spki_pem().unwrap(), algorithm).unwrap();
        assert_eq!(
            public.verify(b"m", &pem.sign(b"m").unwrap()),
            Ok(()),
            "{algorithm}"
        );
        let public_jwk = key.verifying_key().to_jwk().unwrap();
        assert!(!public_jwk.is_private());
        assert_eq!(
            AnyVerifyingKey::from_jwk(&public_jwk).unwrap().thumbprint(),
            key.thumbprint(),
            "{algorithm}"
        );
        assert!(
            !format!("{key:?}{:?}", Jwk::parse(&key.to_jwk_private().unwrap()).unwrap())
                .contains(&key.to_pkcs8_pem().unwrap()[40..60])
        );
    }
}

#[test]
fn a_private_jwk_whose_halves_differ_is_refused() {
    let (a, b) = (
        AnySigningKey::generate(Algorithm::Ed25519).unwrap(),
        AnySigningKey::generate(Algorithm::Ed25519).unwrap(),
    );
    let mut mixed: Value = serde_json::from_str(&a.to_jwk_private().unwrap()).unwrap();
    let other: Value = serde_json::from_str(&b.to_jwk_private().unwrap()).unwrap();
    mixed["x"] = other["x"].clone();
    assert_eq!(
        AnySigningKey::from_jwk(&mixed.to_string()).unwrap_err(),
        Error::KeyInvalid
    );
}
