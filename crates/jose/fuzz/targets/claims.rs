//! Any bytes as a signed payload: the one-pass reader and the step-by-step rules agree on what is accepted.

#![no_main]

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use carnet_jose::{Algorithm, AnySigningKey, KeySet, Scratch, TokenType, Verifier, base64url, json};
use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use serde_json::Value;

const SECRET: [u8; 32] = [7; 32];
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let key = AnySigningKey::from_secret(&SECRET, Algorithm::Hs256).unwrap();
    Verifier::builder(Arc::new(KeySet::pinned(key.verifying_key()).unwrap()))
        .algorithms(&[Algorithm::Hs256])
        .token_type(TokenType::Jwt)
        .without_issuer_check()
        .without_audience_check()
        .without_expiry_check()
        .require(&["a"])
        .build()
        .unwrap()
});

/// Types that read the same payload in different ways.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "read, so that it is parsed")]
struct Borrowed<'s> {
    #[serde(borrow)]
    iss: Option<std::borrow::Cow<'s, str>>,
    exp: Option<u64>,
    roles: Option<Vec<String>>,
    kind: Option<Kind>,
    #[serde(flatten)]
    rest: HashMap<String, Value>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "read, so that it is parsed")]
enum Kind {
    Plain,
    With(u8),
    Named { a: Value },
}

fuzz_target!(|payload: &[u8]| {
    let signed = format!(
        "{}.{}",
        base64url::encode(HEADER.as_bytes()),
        base64url::encode(payload)
    );
    let mac = carnet_jose::primitive::hmac_sha256(&SECRET, &[signed.as_bytes()]);
    let token = format!("{signed}.{}", base64url::encode(&mac));
    let mut scratch = Scratch::default();
    let _ = VERIFIER.verify::<Borrowed<'_>>(&token, 1_000, &mut scratch);
    let ignored = VERIFIER.verify_owned::<serde::de::IgnoredAny>(&token, 1_000);
    let read = VERIFIER.verify_owned::<Value>(&token, 1_000);
    assert_eq!(ignored.is_ok(), read.is_ok());
    if let Ok(verified) = read {
        // Whatever is accepted is one strict object, and says what a plain parser reads.
        assert_eq!(json::check_object(payload, json::MAX_DEPTH), Ok(()));
        let plain: Value = serde_json::from_slice(payload).unwrap();
        assert_eq!(verified.claims, plain);
        assert!(plain.get("a").is_some());
        let text = |name: &str| plain.get(name).and_then(Value::as_str);
        assert_eq!(verified.registered.iss.as_deref(), text("iss"));
        assert_eq!(verified.registered.sub.as_deref(), text("sub"));
        assert_eq!(verified.registered.jti.as_deref(), text("jti"));
    }
});
