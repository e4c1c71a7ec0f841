//! The crate `jwt-simple`, with BoringSSL behind it.

use std::collections::HashSet;
use std::hint::black_box;

use carnet_jose::Algorithm as Ours;
use jwt_simple::prelude::*;

use crate::material::{AUDIENCE, ISSUER, Material};
use crate::timing::Contender;

/// What it does not read by itself.
#[derive(Clone, serde::Deserialize, serde::Serialize)]
struct Further {
    client_id: String,
    scope: String,
    roles: Vec<String>,
}

fn claims(material: &Material) -> JWTClaims<Further> {
    let further = Further {
        client_id: material.claims.client_id.clone(),
        scope: material.claims.scope.clone(),
        roles: material.claims.roles.clone(),
    };
    let mut claims = Claims::with_custom_claims(further, Duration::from_hours(24))
        .with_issuer(ISSUER)
        .with_subject(&material.claims.sub)
        .with_audience(AUDIENCE)
        .with_jwt_id(&material.claims.jti);
    claims.invalid_before = claims.issued_at;
    claims
}

fn options() -> VerificationOptions {
    VerificationOptions {
        allowed_issuers: Some(HashSet::from([ISSUER.to_owned()])),
        allowed_audiences: Some(HashSet::from([AUDIENCE.to_owned()])),
        ..VerificationOptions::default()
    }
}

macro_rules! pair {
    ($material:expr, $key:expr, $public:expr, $sign:ident) => {{
        let (key, public) = ($key.ok()?, $public.ok()?);
        let key = key.with_key_id("k1");
        let claims = claims($material);
        let token = key.$sign(claims.clone()).ok()?;
        let options = options();
        Some(Contender {
            name: "jwt-simple",
            verify: Some(Box::new(move || {
                let verified = public.verify_token::<Further>(black_box(&token), Some(options.clone()));
                black_box(verified.expect("a good token"));
            })),
            sign: Some(Box::new(move || {
                black_box(key.$sign(black_box(claims.clone())).expect("signed"));
            })),
        })
    }};
}

pub fn contender(material: &Material) -> Option<Contender> {
    let (private, public) = (&material.private_pem, &material.public_pem);
    match material.algorithm {
        Ours::Hs256 => {
            let secret = material.secret.as_deref().unwrap_or_default();
            let key = || Ok::<_, jwt_simple::Error>(HS256Key::from_bytes(secret));
            pair!(material, key(), key(), authenticate)
        }
        Ours::Rs256 => pair!(
            material,
            RS256KeyPair::from_pem(private),
            RS256PublicKey::from_pem(public),
            sign
        ),
        Ours::Ps256 => pair!(
            material,
            PS256KeyPair::from_pem(private),
            PS256PublicKey::from_pem(public),
            sign
        ),
        Ours::Es256 => pair!(
            material,
            ES256KeyPair::from_pem(private),
            ES256PublicKey::from_pem(public),
            sign
        ),
        Ours::Es384 => pair!(
            material,
            ES384KeyPair::from_pem(private),
            ES384PublicKey::from_pem(public),
            sign
        ),
        Ours::Es256k => pair!(
            material,
            ES256kKeyPair::from_pem(private),
            ES256kPublicKey::from_pem(public),
            sign
        ),
        Ours::Ed25519 => pair!(
            material,
            Ed25519KeyPair::from_pem(private),
            Ed25519PublicKey::from_pem(public),
            sign
        ),
        _ => None,
    }
}
