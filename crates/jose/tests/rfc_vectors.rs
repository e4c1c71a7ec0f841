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

fn rfc7520(section: &str) -> Value {
    let vectors: Value = serde_json::from_str(include_str!("vectors/rfc7520.json")).unwrap();
    vectors[section].clone()
}

fn rfc7517(section: &str) -> Value {
    let vectors: Value = serde_json::from_str(include_str!("vectors/rfc7517.json")).unwrap();
    vectors[section].clone()
}

/// Whether the key checks the compact JWS, as bytes: what it says is no matter here.
fn checks(key: &AnyVerifyingKey, compact: &str) -> Result<(), Error> {
    let (signed, signature) = compact.rsplit_once('.').unwrap();
    key.verify(signed.as_bytes(), &base64url::decode(signature).unwrap())
}

fn signed(vector: &Value) -> String {
    let segment = |name: &str| vector[name].as_str().unwrap().to_owned();
    format!("{}.{}", segment("protected"), segment("payload"))
}

fn token(vector: &Value) -> String {
    format!("{}.{}", signed(vector), vector["signature"].as_str().unwrap())
}

fn verifier(key: AnyVerifyingKey, algorithm: Algorithm) -> Verifier {
    let keys = KeySet::pinned(key).unwrap();
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

/// RFC 7517 A.1: of a key for encryption and one for signatures, one is for us.
#[test]
fn rfc7517_a1_public_keys() {
    let set = rfc7517("A.1");
    let parsed = KeySet::from_jwks_json(set.to_string().as_bytes(), Algorithm::ALL).unwrap();
    assert_eq!(parsed.set.kids().collect::<Vec<_>>(), ["2011-04-29"]);
    let skipped: Vec<_> = parsed.skipped.iter().map(|key| key.kid.as_deref()).collect();
    assert_eq!(skipped, [Some("1")]);
    let key = parsed.set.get("2011-04-29", Algorithm::Rs256).unwrap();
    assert_eq!(key.thumbprint().unwrap(), set["thumbprints"][1].as_str().unwrap());
}

/// RFC 7517 A.2: private keys sign, and a set that holds them is refused.
#[test]
fn rfc7517_a2_private_keys() {
    let set = rfc7517("A.2");
    let refused = KeySet::from_jwks_json(set.to_string().as_bytes(), Algorithm::ALL);
    assert_eq!(refused.unwrap_err(), Error::PrivateKeyInSet);
    let rsa = AnySigningKey::from_jwk(&set["keys"][1].to_string()).unwrap();
    let signature = rsa.sign(b"message").unwrap();
    let public = Jwk::parse(&rfc7517("A.1")["keys"][1].to_string()).unwrap();
    let public = AnyVerifyingKey::from_jwk(&public).unwrap();
    assert_eq!(public.verify(b"message", &signature), Ok(()));
    let for_encryption = AnySigningKey::from_jwk(&set["keys"][0].to_string());
    assert_eq!(for_encryption.unwrap_err(), Error::KeyUnsupported);
}

/// RFC 7517 A.3: symmetric keys, one for wrapping and one without `alg`; no set holds them.
#[test]
fn rfc7517_a3_symmetric_keys() {
    let set = rfc7517("A.3");
    let refused = KeySet::from_jwks_json(set.to_string().as_bytes(), Algorithm::ALL);
    assert_eq!(refused.unwrap_err(), Error::SymmetricKeyInSet);
    for key in set["keys"].as_array().unwrap() {
        let refused = AnySigningKey::from_jwk(&key.to_string());
        assert_eq!(refused.unwrap_err(), Error::KeyUnsupported);
    }
    let mut named = set["keys"][1].clone();
    named["alg"] = "HS256".into();
    let key = AnySigningKey::from_jwk(&named.to_string()).unwrap();
    assert_eq!(checks(&key.verifying_key(), &token(&rfc7515("A.1"))), Ok(()));
}

/// RFC 7517 B: a key with a certificate chain, which is not looked at.
#[test]
fn rfc7517_b_x5c() {
    let jwk = rfc7517("B");
    let set = serde_json::json!({ "keys": [jwk] }).to_string();
    let parsed = KeySet::from_jwks_json(set.as_bytes(), &[Algorithm::Rs256]).unwrap();
    assert!(parsed.set.get("1b94c", Algorithm::Rs256).is_some());
}

/// RFC 7517 C.1: a key for encryption signs nothing, though it could.
#[test]
fn rfc7517_c1_key_for_encryption() {
    let mut jwk = rfc7517("C.1");
    jwk["alg"] = "RS256".into();
    let refused = AnySigningKey::from_jwk(&jwk.to_string());
    assert_eq!(refused.unwrap_err(), Error::KeyUnsupported);
    jwk.as_object_mut().unwrap().remove("use");
    assert!(AnySigningKey::from_jwk(&jwk.to_string()).is_ok());
}

/// RFC 7520 §4.1 to §4.4: the signatures are good, and ours of the same key are, too; the payload is no JSON, so no token.
#[test]
fn rfc7520_4_signatures() {
    for (section, key, algorithm) in [
        ("4.1", "3.4", Algorithm::Rs256),
        ("4.2", "3.4", Algorithm::Ps384),
        ("4.3", "3.2", Algorithm::Es512),
        ("4.4", "3.5", Algorithm::Hs256),
    ] {
        let mut jwk = rfc7520(key);
        jwk["alg"] = algorithm.name().into();
        let key = AnySigningKey::from_jwk(&jwk.to_string()).unwrap();
        let compact = rfc7520(section).as_str().unwrap().to_owned();
        assert_eq!(checks(&key.verifying_key(), &compact), Ok(()), "{section}");
        let (signed, signature) = compact.rsplit_once('.').unwrap();
        let made = key.sign(signed.as_bytes()).unwrap();
        if matches!(algorithm, Algorithm::Rs256 | Algorithm::Hs256) {
            assert_eq!(base64url::encode(&made), signature, "{section}");
        }
        let refused = verifier(key.verifying_key(), algorithm).verify_owned::<Value>(&compact, 0);
        assert_eq!(refused.unwrap_err(), Error::JsonInvalid, "{section}");
    }
}

/// RFC 7520 §3.1, §3.3: the public halves of the private keys.
#[test]
fn rfc7520_3_public_halves() {
    for (public, private, algorithm) in [("3.1", "3.2", Algorithm::Es512), ("3.3", "3.4", Algorithm::Rs256)] {
        let mut jwk = rfc7520(private);
        jwk["alg"] = algorithm.name().into();
        let key = AnySigningKey::from_jwk(&jwk.to_string()).unwrap();
        let public = Jwk::parse(&rfc7520(public).to_string()).unwrap();
        let public = AnyVerifyingKey::from_jwk_as(&public, algorithm).unwrap();
        assert_eq!(key.thumbprint(), public.thumbprint());
    }
}

/// RFC 7520 §4.1 to §4.8 in JSON: none of them is a token.
#[test]
fn rfc7520_4_json_serializations() {
    let key = AnySigningKey::generate(Algorithm::Es512).unwrap().verifying_key();
    let verifier = verifier(key, Algorithm::Es512);
    for (name, text) in rfc7520("json").as_object().unwrap() {
        let refused = verifier.verify_owned::<Value>(&text.to_string(), 0);
        let refused = refused.unwrap_err();
        // Five segments, when the payload's own dots are counted.
        assert!(
            matches!(refused, Error::Malformed | Error::EncryptedToken),
            "{name}"
        );
    }
}

/// RFC 7797 §4: the same payload encoded and not; what is not encoded is no token.
#[test]
fn rfc7797_4_unencoded_payload() {
    let vectors: Value = serde_json::from_str(include_str!("vectors/rfc7797.json")).unwrap();
    let mut jwk = vectors["key"].clone();
    jwk["alg"] = "HS256".into();
    let key = AnySigningKey::from_jwk(&jwk.to_string()).unwrap().verifying_key();
    let encoded = vectors["4.1"].as_str().unwrap();
    assert_eq!(checks(&key, encoded), Ok(()));
    let verifier = verifier(key, Algorithm::Hs256);
    let refusal = |token: &str| verifier.verify_owned::<Value>(token, 0).unwrap_err();
    assert_eq!(refusal(encoded), Error::JsonInvalid, "the payload is $.02");
    let unencoded = vectors["4.2"].as_str().unwrap();
    assert_eq!(refusal(unencoded), Error::CriticalHeader);
    // With the payload in its place: a dot too many, and another alphabet.
    let attached = unencoded.replacen("..", ".$.02.", 1);
    assert_eq!(refusal(&attached), Error::Malformed);
}

/// RFC 9964 appendix A: seed → public key, its thumbprint, and a signature by it.
#[test]
fn rfc9964_a_ml_dsa() {
    let vectors: Value = serde_json::from_str(include_str!("vectors/rfc9964.json")).unwrap();
    for algorithm in [Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87] {
        let vector = &vectors[algorithm.name()];
        // The seed alone decides: a public half that does not belong to it is refused.
        let key = AnySigningKey::from_jwk(&vector["key"].to_string()).unwrap();
        let public = serde_json::to_value(key.verifying_key().to_jwk().unwrap()).unwrap();
        assert_eq!(public["pub"], vector["key"]["pub"]);
        assert_eq!(key.thumbprint().unwrap(), vector["kid"].as_str().unwrap());
        let compact = vector["jws"].as_str().unwrap();
        assert_eq!(checks(&key.verifying_key(), compact), Ok(()));
        let (signed, _) = compact.rsplit_once('.').unwrap();
        let made = key.sign(signed.as_bytes()).unwrap();
        assert_eq!(key.verifying_key().verify(signed.as_bytes(), &made), Ok(()));
        assert_eq!(
            key.verifying_key().verify(b"another message", &made),
            Err(Error::SignatureInvalid)
        );
    }
}
