//! Checking an HS256 token whose claims are borrowed touches the heap not once.

use std::alloc::System;
use std::sync::Arc;

use carnet_jose::{Algorithm, AnySigningKey, KeySet, Scratch, Signer, TokenType, Verifier};
use serde::Deserialize;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[derive(Deserialize)]
struct Claims<'s> {
    sub: &'s str,
    scope: &'s str,
    exp: u64,
}

#[test]
fn hs256_with_borrowed_claims_needs_no_heap() {
    let key = AnySigningKey::generate(Algorithm::Hs256).unwrap();
    let keys = KeySet::new(vec![(Some("k1".to_owned()), key.verifying_key())]).unwrap();
    let signer = Signer::new(key, TokenType::AccessToken, Some("k1".to_owned())).unwrap();
    let verifier = Verifier::builder(Arc::new(keys))
        .algorithms(&[Algorithm::Hs256])
        .token_type(TokenType::AccessToken)
        .issuer("https://as.test")
        .audience("https://api.test")
        .require(&["sub", "client_id", "jti"])
        .build()
        .unwrap();
    let token = signer
        .sign(&serde_json::json!({
            "iss": "https://as.test", "aud": "https://api.test", "sub": "alice", "client_id": "web", "jti": "x",
            "scope": "read:orders write:orders", "iat": 1_000, "nbf": 1_000, "exp": 1_900, "roles": ["editor"],
        }))
        .unwrap();
    let mut scratch = Scratch::default();
    // The first one makes room, and makes the header known.
    verifier
        .verify::<Claims<'_>>(&token, 1_000, &mut scratch)
        .unwrap();

    let region = Region::new(ALLOCATOR);
    for _ in 0..100 {
        let verified = verifier
            .verify::<Claims<'_>>(&token, 1_000, &mut scratch)
            .unwrap();
        assert_eq!((verified.claims.sub, verified.claims.exp), ("alice", 1_900));
        assert_eq!(verified.claims.scope, "read:orders write:orders");
        assert_eq!(verified.key_id.as_deref(), Some("k1"));
    }
    let change = region.change();
    assert_eq!((change.allocations, change.reallocations), (0, 0));
}
