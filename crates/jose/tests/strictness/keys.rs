//! Keys, sets of keys, and policies.

use std::sync::Arc;
use std::time::Duration;

use carnet_jose::{
    Algorithm, AnySigningKey, AnyVerifyingKey, Error, Jwk, KeySet, Signer, TokenType, Verifier,
};
use serde_json::Value;

use crate::fixture::{NOW, builder, claims};

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
fn claims_that_are_required_twice_over_are_all_required() {
    let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
    let set = KeySet::new(vec![(Some("k1".into()), key.verifying_key())]).unwrap();
    let verifier = builder(set)
        .require(&["tenant"])
        .require(&["jti"])
        .build()
        .unwrap();
    let signer = Signer::new(key, TokenType::AccessToken, Some("k1".into())).unwrap();
    let mut all = claims();
    all["tenant"] = "t1".into();
    let check = |claims: &Value| {
        let token = signer.sign(claims).unwrap();
        verifier.verify_owned::<Value>(&token, NOW).map(|_| ())
    };
    assert_eq!(check(&all), Ok(()));
    for name in ["client_id", "tenant", "jti", "sub", "exp"] {
        let mut without = all.clone();
        without.as_object_mut().unwrap().remove(name);
        assert_eq!(check(&without), Err(Error::ClaimMissing), "{name}");
    }
}

#[test]
fn a_set_hands_out_a_key_by_its_whole_name() {
    let key = AnySigningKey::generate(Algorithm::Es256).unwrap().verifying_key();
    let set = KeySet::new(vec![(Some("k1".into()), key)]).unwrap();
    assert!(set.get("k1", Algorithm::Es256).is_some());
    assert!(set.get("k1", Algorithm::Es384).is_none());
    assert!(set.get("K1", Algorithm::Es256).is_none());
    assert!(KeySet::empty().is_empty());
    assert_ne!(KeySet::empty().epoch(), KeySet::empty().epoch());
    assert_eq!(
        KeySet::empty().find(None, Algorithm::Es256).unwrap_err(),
        Error::KeyIdMissing
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
    // It is called what it is called in the set.
    let verified = one.verify_owned::<Value>(&token, NOW).unwrap();
    assert_eq!(verified.key_id.as_deref(), Some("a"));
    let nameless = KeySet::new(vec![(None, a.clone())]).unwrap();
    let verified = builder(nameless).build().unwrap();
    let verified = verified.verify_owned::<Value>(&token, NOW).unwrap();
    assert_eq!(verified.key_id.as_deref(), Some(a.thumbprint().unwrap().as_str()));
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
        let spki = key.verifying_key();
        let der = AnyVerifyingKey::from_der(spki.to_spki_der().unwrap(), algorithm).unwrap();
        assert_eq!(der.thumbprint(), key.thumbprint(), "{algorithm}");
        if let Ok(traditional) = key.to_traditional_der() {
            let again = AnySigningKey::from_der(&traditional, algorithm).unwrap();
            assert_eq!(again.thumbprint(), key.thumbprint(), "{algorithm}");
            let pem = AnySigningKey::from_pem(&key.to_traditional_pem().unwrap(), algorithm);
            assert_eq!(pem.unwrap().thumbprint(), key.thumbprint(), "{algorithm}");
        } else {
            assert!(algorithm.is_ml_dsa() || algorithm == Algorithm::Ed25519);
        }
        if algorithm.is_rsa() {
            let pem = AnyVerifyingKey::from_pem(&spki.to_pkcs1_pem().unwrap(), algorithm);
            assert_eq!(pem.unwrap().thumbprint(), key.thumbprint(), "{algorithm}");
        }
        let der = AnySigningKey::from_der(&key.to_pkcs8_der().unwrap(), algorithm).unwrap();
        assert_eq!(der.thumbprint(), key.thumbprint(), "{algorithm}");
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
