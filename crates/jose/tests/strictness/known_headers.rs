//! A header that is known changes nothing but the time it takes.

use std::sync::Arc;

use carnet_jose::{Algorithm, AnySigningKey, Error, KeySet, RotatingKeys, base64url};
use serde_json::Value;

use crate::fixture::{HEADER, NOW, builder_over, claims};

fn set(key: &AnySigningKey) -> KeySet {
    KeySet::new(vec![(Some("k1".to_owned()), key.verifying_key())]).unwrap()
}

fn token(key: &AnySigningKey, header: &str) -> String {
    let encode = |text: &str| base64url::encode(text.as_bytes());
    let signed = format!("{}.{}", encode(header), encode(&claims().to_string()));
    let signature = base64url::encode(&key.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

#[test]
fn a_known_header_does_not_outlive_its_key_set() {
    let [old, new] = [(); 2].map(|()| AnySigningKey::generate(Algorithm::Es256).unwrap());
    let keys = Arc::new(RotatingKeys::new(set(&old)));
    let verifier = builder_over(keys.clone()).build().unwrap();
    let check = |key| verifier.verify_owned::<Value>(&token(key, HEADER), NOW);
    for _ in 0..3 {
        assert!(check(&old).is_ok());
    }
    keys.replace(set(&new));
    for _ in 0..3 {
        assert_eq!(check(&old).unwrap_err(), Error::SignatureInvalid);
        assert!(check(&new).is_ok());
    }
    keys.replace(KeySet::empty());
    assert_eq!(check(&new).unwrap_err(), Error::UnknownKeyId);
}

#[test]
fn headers_of_forged_tokens_are_not_remembered() {
    let [good, forger] = [(); 2].map(|()| AnySigningKey::generate(Algorithm::Es256).unwrap());
    let verifier = builder_over(Arc::new(set(&good))).build().unwrap();
    for _ in 0..3 {
        let refused = verifier.verify_owned::<Value>(&token(&forger, HEADER), NOW);
        assert_eq!(refused.unwrap_err(), Error::SignatureInvalid);
        assert!(verifier.verify_owned::<Value>(&token(&good, HEADER), NOW).is_ok());
    }
}

#[test]
fn any_number_of_headers_is_accepted() {
    let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
    let verifier = builder_over(Arc::new(set(&key))).build().unwrap();
    for _ in 0..2 {
        for n in 0..200 {
            let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"k1","n":{n}}}"#);
            assert!(verifier.verify_owned::<Value>(&token(&key, &header), NOW).is_ok());
        }
    }
}
