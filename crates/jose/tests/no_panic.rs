//! Whatever comes in, an answer comes out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::sync::Arc;

use carnet_jose::{
    Algorithm, AnySigningKey, AnyVerifyingKey, Error, Jwk, KeySet, Possession, TokenType, Verifier,
    base64url, dangerous, json,
};
use proptest::prelude::*;
use serde_json::Value;

fn verifier() -> Verifier {
    let key = AnySigningKey::from_secret(&[7; 32], Algorithm::Hs256).unwrap();
    let keys = KeySet::new(vec![(None, key.verifying_key())]).unwrap();
    let builder = Verifier::builder(Arc::new(keys))
        .algorithms(&[Algorithm::Hs256])
        .token_type(TokenType::Jwt);
    builder
        .without_issuer_check()
        .without_audience_check()
        .build()
        .unwrap()
}

fn proven(token: &str) -> Result<Possession<Value>, Error> {
    Possession::verify(token, TokenType::Other("dpop+jwt"), Algorithm::ALL)
}

/// Text that is nearly JSON.
fn json_like() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop::sample::select(vec![
            "{", "}", "[", "]", "\"", ":", ",", "\\u0073", "exp", "alg", "null", "1e9", "-", " ", "\u{feff}",
            "kty",
        ]),
        0..40,
    )
    .prop_map(|parts| parts.concat())
}

/// An object with the members of a JWK, each with a value that may fit, be too short, or be of another type.
fn odd_jwk() -> impl Strategy<Value = Value> {
    let names = vec![
        "kty", "crv", "alg", "use", "key_ops", "kid", "x", "y", "d", "n", "e", "p", "q", "dp", "dq", "qi",
        "oth", "k",
    ];
    let value = prop_oneof![
        prop::sample::select(vec![
            "RSA", "EC", "OKP", "oct", "P-256", "P-521", "Ed25519", "RS256", "ES256", "HS256", "sig", "AQAB",
            "",
        ])
        .prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..140).prop_map(|bytes| base64url::encode(&bytes).into()),
        any::<i64>().prop_map(Value::from),
        Just(Value::Null),
        Just(serde_json::json!(["verify", "sign"])),
    ];
    prop::collection::btree_map(prop::sample::select(names), value, 0..12).prop_map(|members| {
        members
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    })
}

proptest! {
    #[test]
    fn tokens(text in ".{0,200}") {
        let _ = verifier().verify_owned::<Value>(&text, u64::MAX);
        let _ = proven(&text);
        let _ = dangerous::decode(&text);
    }

    #[test]
    fn signed_payloads(payload in json_like(), now in any::<u64>()) {
        let signed = format!("{}.{}", base64url::encode(br#"{"alg":"HS256"}"#), base64url::encode(payload.as_bytes()));
        let mac = carnet_jose::primitive::hmac_sha256(&[7; 32], &[signed.as_bytes()]);
        let _ = verifier().verify_owned::<Value>(&format!("{signed}.{}", base64url::encode(&mac)), now);
    }

    #[test]
    fn headers(header in json_like()) {
        let token = format!("{}.e30.AA", base64url::encode(header.as_bytes()));
        let _ = verifier().verify_owned::<Value>(&token, 0);
        let _ = proven(&token);
    }

    #[test]
    fn embedded_keys(jwk in odd_jwk(), algorithm in prop::sample::select(Algorithm::ALL)) {
        let header = serde_json::json!({ "alg": algorithm, "typ": "dpop+jwt", "jwk": jwk }).to_string();
        let _ = proven(&format!("{}.e30.AA", base64url::encode(header.as_bytes())));
    }

    #[test]
    fn keys_and_sets(text in json_like(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Jwk::parse(&text).and_then(|jwk| AnyVerifyingKey::from_jwk(&jwk));
        let _ = AnySigningKey::from_jwk(&text);
        let _ = KeySet::from_jwks_json(text.as_bytes(), Algorithm::ALL);
        let _ = json::check_object(&bytes, 32);
        for algorithm in Algorithm::ALL {
            let _ = AnyVerifyingKey::from_spki_der(&bytes, *algorithm);
            let _ = AnySigningKey::from_pkcs8_der(&bytes, *algorithm);
        }
    }

    #[test]
    fn keys_with_odd_members(jwk in odd_jwk()) {
        let text = jwk.to_string();
        for algorithm in Algorithm::ALL {
            let _ = Jwk::parse(&text).and_then(|jwk| AnyVerifyingKey::from_jwk_as(&jwk, *algorithm));
        }
        let _ = AnySigningKey::from_jwk(&text);
        let set = serde_json::json!({ "keys": [jwk, { "kty": "RSA" }] }).to_string();
        let _ = KeySet::from_jwks_json(set.as_bytes(), Algorithm::ALL);
    }

    #[test]
    fn sets_of_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = KeySet::from_jwks_json(&bytes, Algorithm::ALL);
    }

    #[test]
    fn pem_of_any_bytes(label in "(RSA |EC )?(PUBLIC|PRIVATE) KEY", body in "[A-Za-z0-9+/=\\n]{0,120}") {
        let text = format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
        for algorithm in Algorithm::ALL {
            let _ = AnyVerifyingKey::from_pem(&text, *algorithm);
            let _ = AnySigningKey::from_pem(&text, *algorithm);
        }
    }

    #[test]
    fn base64url_reads_what_another_strict_decoder_reads(text in "[A-Za-z0-9_-]{0,200}[A-Za-z0-9_=+/. é-]{0,3}[A-Za-z0-9_-]{0,80}") {
        let other = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).ok();
        prop_assert_eq!(base64url::decode(&text).ok(), other);
    }

    #[test]
    fn base64url_has_one_spelling(text in "[A-Za-z0-9_=-]{0,200}") {
        if let Ok(bytes) = base64url::decode(&text) {
            prop_assert_eq!(base64url::encode(&bytes), text);
        }
    }

    #[test]
    fn a_changed_bit_is_refused(position in 0usize..100, bit in 0u8..8) {
        let key = AnySigningKey::from_secret(&[7; 32], Algorithm::Hs256).unwrap();
        let token = carnet_jose::Signer::new(key, TokenType::Jwt, None).unwrap().sign(&serde_json::json!({ "exp": 100, "sub": "alice" })).unwrap();
        let mut bytes = token.clone().into_bytes();
        let position = position % bytes.len();
        bytes[position] ^= 1 << bit;
        if let Ok(changed) = String::from_utf8(bytes) {
            prop_assert!(verifier().verify_owned::<Value>(&changed, 0).is_err());
        }
    }
}
