//! Any bytes as a key set: no panic, and nothing secret gets in.

#![no_main]

use carnet_jose::{Algorithm, KeySet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(parsed) = KeySet::from_jwks_json(bytes, Algorithm::ALL) {
        let written = parsed.set.to_jwks_json().unwrap();
        for name in ["\"d\":", "\"k\":", "\"priv\":", "\"oct\""] {
            assert!(!written.contains(name));
        }
        for kid in parsed.set.kids() {
            assert!(Algorithm::ALL.iter().any(|algorithm| parsed.set.get(kid, *algorithm).is_some()));
        }
    }
});
