//! Any text as a token: no panic, and what passes is a token that the key has signed.

#![no_main]

use std::sync::{Arc, LazyLock};

use carnet_jose::{Algorithm, AnySigningKey, KeySet, TokenType, Verifier, dangerous};
use libfuzzer_sys::fuzz_target;

const SECRET: [u8; 32] = [7; 32];

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let key = AnySigningKey::from_secret(&SECRET, Algorithm::Hs256).unwrap();
    let keys = KeySet::new(vec![(Some("k1".to_owned()), key.verifying_key())]).unwrap();
    Verifier::builder(Arc::new(keys))
        .algorithms(Algorithm::ALL)
        .token_type(TokenType::Jwt)
        .without_issuer_check()
        .without_audience_check()
        .build()
        .unwrap()
});

fuzz_target!(|text: &str| {
    let _ = dangerous::decode(text);
    if VERIFIER.verify_owned::<serde_json::Value>(text, 1_000).is_ok() {
        let (signed, signature) = text.rsplit_once('.').unwrap();
        let mac = carnet_jose::primitive::hmac_sha256(&SECRET, &[signed.as_bytes()]);
        assert_eq!(carnet_jose::base64url::encode(&mac), signature);
    }
});
