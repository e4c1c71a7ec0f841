//! Any text as a key: no panic, and a key that is read can be written and read again.

#![no_main]

use carnet_jose::{Algorithm, AnySigningKey, AnyVerifyingKey, Jwk};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(key) = Jwk::parse(text).and_then(|jwk| AnyVerifyingKey::from_jwk(&jwk))
        && !key.algorithm().is_mac()
    {
        let again = AnyVerifyingKey::from_jwk(&key.to_jwk().unwrap()).unwrap();
        assert_eq!(again.thumbprint(), key.thumbprint());
        let pem = key.to_spki_pem().unwrap();
        assert!(AnyVerifyingKey::from_pem(&pem, key.algorithm()).is_ok());
    }
    if let Ok(key) = AnySigningKey::from_jwk(text) {
        let signature = key.sign(b"message").unwrap();
        assert_eq!(key.verifying_key().verify(b"message", &signature), Ok(()));
    }
    for algorithm in Algorithm::ALL {
        let _ = AnyVerifyingKey::from_pem(text, *algorithm);
        let _ = AnySigningKey::from_pem(text, *algorithm);
    }
});
