//! carnet-jose: claims that own, claims that borrow, and tokens that are remembered.

use std::hint::black_box;
use std::sync::Arc;

use carnet_jose::{CachedVerifier, KeySet, Scratch, Signer, TokenType, Verifier};
use serde::Deserialize;

use crate::material::{AUDIENCE, Claims, ISSUER, Material};
use crate::timing::Contender;

#[derive(Deserialize)]
#[expect(dead_code, reason = "read, so that it is paid for")]
struct Borrowed<'s> {
    iss: &'s str,
    sub: &'s str,
    aud: &'s str,
    exp: u64,
    nbf: u64,
    iat: u64,
    jti: &'s str,
    client_id: &'s str,
    scope: &'s str,
}

fn verifier(material: &Material) -> Verifier {
    let key = material.key().verifying_key();
    let keys = KeySet::new(vec![(Some("k1".to_owned()), key)]).expect("a set");
    Verifier::builder(Arc::new(keys))
        .algorithms(&[material.algorithm])
        .token_type(TokenType::Jwt)
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .require(&["sub", "jti"])
        .build()
        .expect("a complete policy")
}

pub fn owned(material: &Material) -> Contender {
    let (verifier, token, now) = (verifier(material), material.token.clone(), material.now);
    let signer = Signer::new(material.key(), TokenType::Jwt, Some("k1".to_owned())).expect("a header");
    let claims = material.claims.clone();
    Contender {
        name: "carnet-jose",
        verify: Some(Box::new(move || {
            black_box(
                verifier
                    .verify_owned::<Claims>(black_box(&token), now)
                    .expect("a good token"),
            );
        })),
        sign: Some(Box::new(move || {
            black_box(signer.sign(black_box(&claims)).expect("signed"));
        })),
    }
}

pub fn borrowed(material: &Material) -> Contender {
    let (verifier, token, now) = (verifier(material), material.token.clone(), material.now);
    let signer = Signer::new(material.key(), TokenType::Jwt, Some("k1".to_owned())).expect("a header");
    let claims = material.claims.clone();
    let (mut scratch, mut buffer) = (Scratch::default(), String::new());
    Contender {
        name: "carnet-jose, buffers kept",
        verify: Some(Box::new(move || {
            let verified = verifier.verify::<Borrowed<'_>>(black_box(&token), now, &mut scratch);
            black_box(verified.expect("a good token"));
        })),
        sign: Some(Box::new(move || {
            buffer.clear();
            signer.sign_into(black_box(&claims), &mut buffer).expect("signed");
            black_box(&buffer);
        })),
    }
}

pub fn cached(material: &Material) -> Option<Contender> {
    let cached = CachedVerifier::<Claims>::new(verifier(material), 1_000);
    let (token, now) = (material.token.clone(), material.now);
    Some(Contender {
        name: "carnet-jose, remembered",
        verify: Some(Box::new(move || {
            black_box(cached.verify(black_box(&token), now).expect("a good token"));
        })),
        sign: None,
    })
}
