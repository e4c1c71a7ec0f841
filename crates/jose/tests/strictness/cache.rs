//! What was accepted once is not accepted for ever.

use std::sync::Arc;
use std::time::Duration;

use carnet_jose::{Algorithm, AnySigningKey, CachedVerifier, Error, KeySet, RotatingKeys, Signer, TokenType};
use serde_json::{Value, json};

use crate::fixture::{AUDIENCE, ISSUER, NOW, builder_over};

struct Cached {
    keys: Arc<RotatingKeys>,
    verifier: CachedVerifier<Value>,
    signer: Signer,
}

fn set(key: &AnySigningKey) -> KeySet {
    KeySet::new(vec![(Some("k1".to_owned()), key.verifying_key())]).unwrap()
}

impl Cached {
    fn new(capacity: usize) -> Self {
        let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
        let keys = Arc::new(RotatingKeys::new(set(&key)));
        let policy = builder_over(keys.clone()).leeway(Duration::ZERO);
        let verifier = policy.max_token_age(Duration::from_secs(600)).build().unwrap();
        Self {
            keys,
            verifier: CachedVerifier::new(verifier, capacity),
            signer: Signer::new(key, TokenType::AccessToken, Some("k1".to_owned())).unwrap(),
        }
    }

    fn token(&self, jti: &str, nbf: u64, exp: u64) -> String {
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "client_id": "web", "iat": NOW, "nbf": nbf, "exp": exp, "jti": jti,
        });
        self.signer.sign(&claims).unwrap()
    }
}

#[test]
fn times_are_checked_at_every_use() {
    let cached = Cached::new(10);
    let short = cached.token("short", NOW, NOW + 60);
    let long = cached.token("long", NOW + 10, NOW + 6_000);
    assert!(cached.verifier.verify(&short, NOW).is_ok());
    assert_eq!(
        cached.verifier.verify(&short, NOW + 60).unwrap_err(),
        Error::Expired
    );
    assert!(cached.verifier.verify(&long, NOW + 10).is_ok());
    // A clock that steps back, and one that has gone on.
    assert_eq!(
        cached.verifier.verify(&long, NOW).unwrap_err(),
        Error::NotYetValid
    );
    assert_eq!(
        cached.verifier.verify(&long, NOW + 601).unwrap_err(),
        Error::TokenTooOld
    );
    assert!(cached.verifier.verify(&long, NOW + 600).is_ok());
}

#[test]
fn a_change_of_the_keys_forgets_everything() {
    let cached = Cached::new(10);
    let token = cached.token("x", NOW, NOW + 900);
    assert!(cached.verifier.verify(&token, NOW).is_ok());
    cached
        .keys
        .replace(set(&AnySigningKey::generate(Algorithm::Es256).unwrap()));
    assert_eq!(
        cached.verifier.verify(&token, NOW).unwrap_err(),
        Error::SignatureInvalid
    );
}

#[test]
fn what_is_revoked_is_forgotten_and_nothing_else() {
    let cached = Cached::new(10);
    let [a, b] = ["a", "b"].map(|jti| cached.token(jti, NOW, NOW + 900));
    let first = cached.verifier.verify(&a, NOW).unwrap();
    let other = cached.verifier.verify(&b, NOW).unwrap();
    cached.verifier.forget(|token| token.claims["jti"] == "a");
    assert_eq!(cached.verifier.len(), 1);
    assert!(!Arc::ptr_eq(&first, &cached.verifier.verify(&a, NOW).unwrap()));
    assert!(Arc::ptr_eq(&other, &cached.verifier.verify(&b, NOW).unwrap()));
}

#[test]
fn what_was_refused_is_not_remembered_and_memory_is_bounded() {
    let cached = Cached::new(10);
    let good = cached.token("good", NOW, NOW + 900);
    assert!(cached.verifier.verify(&good, NOW).is_ok());
    let mut forged = good.clone().into_bytes();
    let last = forged.len() - 5;
    forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    for _ in 0..3 {
        assert!(cached.verifier.verify(&forged, NOW).is_err());
    }
    assert_eq!(cached.verifier.len(), 1);
    for n in 0..200 {
        let token = cached.token(&n.to_string(), NOW, NOW + 900);
        assert!(cached.verifier.verify(&token, NOW).is_ok());
    }
    assert!(cached.verifier.len() <= 10);
}

#[test]
fn a_large_token_takes_the_place_of_several() {
    let cached = Cached::new(10);
    let padding = "x".repeat(8 * 1024);
    for n in 0..200 {
        let token = cached.token(&format!("{padding}{n}"), NOW, NOW + 900);
        assert!(cached.verifier.verify(&token, NOW).is_ok());
    }
    // Each has between 10 and 12 KiB: as much as six.
    assert_eq!(cached.verifier.len(), 1);
}

#[test]
fn a_token_that_comes_again_and_again_stays_whoever_brings_new_ones() {
    let cached = Cached::new(100);
    let mine = cached.token("mine", NOW, NOW + 900);
    let first = cached.verifier.verify(&mine, NOW).unwrap();
    for n in 0..1_000 {
        let token = cached.token(&n.to_string(), NOW, NOW + 900);
        assert!(cached.verifier.verify(&token, NOW).is_ok());
        assert!(Arc::ptr_eq(&first, &cached.verifier.verify(&mine, NOW).unwrap()));
    }
}
