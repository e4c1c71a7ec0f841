//! The examples that the RFCs print, byte for byte; `vectors/` holds them under their section numbers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::sync::Arc;

use carnet_jose::{
    Algorithm, AnySigningKey, AnyVerifyingKey, Error, Jwk, KeySet, TokenType, Verifier, base64url,
};
use serde_json::Value;

/// A moment before the `exp` of the payload that RFC 7515 signs.
const BEFORE: u64 = 1_300_819_000;

fn rfc7515(section: &str) -> Value {
    let vectors: Value = serde_json::from_str(include_str!("vectors/rfc7515.json")).unwrap();
    vectors[section].clone()
}

fn rfc8037(section: &str) -> Value {
    let vectors: Value = serde_json::from_str(include_str!("vectors/rfc8037.json")).unwrap();
    vectors[section].clone()
}

fn signed(vector: &Value) -> String {
    let segment = |name: &str| vector[name].as_str().unwrap().to_owned();
    format!("{}.{}", segment("protected"), segment("payload"))
}

fn token(vector: &Value) -> String {
    format!("{}.{}", signed(vector), vector["signature"].as_str().unwrap())
}

fn verifier(key: AnyVerifyingKey, algorithm: Algorithm) -> Verifier {
    let keys = KeySet::new(vec![(None, key)]).unwrap();
    let builder = Verifier::builder(Arc::new(keys))
        .algorithms(&[algorithm])
        .token_type(TokenType::Jwt);
    builder.issuer("joe").without_audience_check().build().unwrap()
}

/// The token passes, and the key makes the same signature again where there is but one.
fn passes(section: &str, algorithm: Algorithm) {
    let vector = rfc7515(section);
    let key = AnySigningKey::from_jwk(&vector["key"].to_string()).unwrap();
    let verified = verifier(key.verifying_key(), algorithm)
        .verify_owned::<Value>(&token(&vector), BEFORE)
        .unwrap();
    assert_eq!(verified.claims["http://example.com/is_root"], true);
    let made = key.sign(signed(&vector).as_bytes()).unwrap();
    if algorithm.is_mac() || algorithm == Algorithm::Rs256 {
        assert_eq!(base64url::encode(&made), vector["signature"].as_str().unwrap());
    }
    assert_eq!(
        key.verifying_key().verify(signed(&vector).as_bytes(), &made),
        Ok(())
    );
}

/// RFC 7515 A.1: HS256.
#[test]
fn rfc7515_a1_hs256() {
    passes("A.1", Algorithm::Hs256);
    let vector = rfc7515("A.1");
    let key = AnySigningKey::from_jwk(&vector["key"].to_string()).unwrap();
    assert_eq!(
        verifier(key.verifying_key(), Algorithm::Hs256)
            .verify_owned::<Value>(&token(&vector), 1_300_819_410)
            .unwrap_err(),
        Error::Expired
    );
}

/// RFC 7515 A.2: RS256, with the private key.
#[test]
fn rfc7515_a2_rs256() {
    passes("A.2", Algorithm::Rs256);
}

/// RFC 7515 A.3: ES256.
#[test]
fn rfc7515_a3_es256() {
    passes("A.3", Algorithm::Es256);
}

/// RFC 7515 A.4: ES512 over a payload that is no JSON: the signature is good, the token is none.
#[test]
fn rfc7515_a4_es512() {
    let vector = rfc7515("A.4");
    let key = AnySigningKey::from_jwk(&vector["key"].to_string())
        .unwrap()
        .verifying_key();
    let signature = base64url::decode(vector["signature"].as_str().unwrap()).unwrap();
    assert_eq!(key.verify(signed(&vector).as_bytes(), &signature), Ok(()));
    let refused = verifier(key, Algorithm::Es512).verify_owned::<Value>(&token(&vector), BEFORE);
    assert_eq!(refused.unwrap_err(), Error::JsonInvalid);
}

/// RFC 7515 A.5: `none` is refused.
#[test]
fn rfc7515_a5_none() {
    let key = AnySigningKey::generate(Algorithm::Es256).unwrap().verifying_key();
    let refused = verifier(key, Algorithm::Es256).verify_owned::<Value>(&token(&rfc7515("A.5")), BEFORE);
    assert_eq!(refused.unwrap_err(), Error::AlgorithmNotAllowed);
}

/// RFC 7515 A.6, A.7: the JSON serializations are no tokens, though every signature in them is good.
#[test]
fn rfc7515_a6_a7_json_serializations() {
    let key = AnySigningKey::from_jwk(&rfc7515("A.3")["key"].to_string()).unwrap();
    for section in ["A.6", "A.7"] {
        let refused = verifier(key.verifying_key(), Algorithm::Es256)
            .verify_owned::<Value>(&rfc7515(section).to_string(), BEFORE);
        assert_eq!(refused.unwrap_err(), Error::Malformed, "{section}");
    }
    // The same signatures in compact form pass: it is the form that is refused.
    let general = rfc7515("A.6");
    for (position, name) in [(0, "A.2"), (1, "A.3")] {
        let mut one = general["signatures"][position].clone();
        one["payload"] = general["payload"].clone();
        assert_eq!(token(&one), token(&rfc7515(name)));
    }
}

/// RFC 7515 appendix C: base64url without padding.
#[test]
fn rfc7515_c_base64url() {
    let vector = rfc7515("C");
    let bytes: Vec<u8> = serde_json::from_value(vector["bytes"].clone()).unwrap();
    let text = vector["text"].as_str().unwrap();
    assert_eq!(base64url::encode(&bytes), text);
    assert_eq!(base64url::decode(text).unwrap(), bytes);
}

/// RFC 7638 §3.1: the thumbprint of an RSA key.
#[test]
fn rfc7638_3_1_thumbprint() {
    let vectors: Value = serde_json::from_str(include_str!("vectors/rfc7638.json")).unwrap();
    let vector = &vectors["3.1"];
    let jwk = Jwk::parse(&vector["key"].to_string()).unwrap();
    assert_eq!(
        AnyVerifyingKey::from_jwk(&jwk).unwrap().thumbprint().unwrap(),
        vector["thumbprint"].as_str().unwrap()
    );
}

/// RFC 8037 A.1, A.2: the key and its public half.
#[test]
fn rfc8037_a1_a2_key() {
    let key = AnySigningKey::from_jwk(&rfc8037("A.1").to_string()).unwrap();
    let mut public = serde_json::to_value(key.verifying_key().to_jwk().unwrap()).unwrap();
    assert_eq!(
        public.as_object_mut().unwrap().remove("alg"),
        Some("Ed25519".into())
    );
    assert_eq!(public, rfc8037("A.2"));
}

/// RFC 8037 A.3: the thumbprint.
#[test]
fn rfc8037_a3_thumbprint() {
    let key = AnySigningKey::from_jwk(&rfc8037("A.1").to_string()).unwrap();
    assert_eq!(key.thumbprint().unwrap(), rfc8037("A.3").as_str().unwrap());
}

/// RFC 8037 A.4, A.5: signing and checking.
#[test]
fn rfc8037_a4_a5_signature() {
    let vector = rfc8037("A.4");
    let key = AnySigningKey::from_jwk(&rfc8037("A.1").to_string()).unwrap();
    let made = key.sign(signed(&vector).as_bytes()).unwrap();
    assert_eq!(base64url::encode(&made), vector["signature"].as_str().unwrap());
    assert_eq!(
        key.verifying_key().verify(signed(&vector).as_bytes(), &made),
        Ok(())
    );
    assert_eq!(Algorithm::from_name("EdDSA"), Some(Algorithm::Ed25519));
}
