//! A key, the verifier that trusts it, and a way to sign any bytes with it.

use std::sync::Arc;

use carnet_jose::{
    Algorithm, AnySigningKey, Error, KeySet, KeySource, TokenType, Verifier, VerifierBuilder, base64url,
};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://as.test";
pub(crate) const AUDIENCE: &str = "https://api.test";
pub(crate) const NOW: u64 = 1_800_000_000;

/// A key, the verifier that trusts it, and a way to sign any bytes with it.
pub(crate) struct Fixture {
    pub(crate) key: AnySigningKey,
    pub(crate) verifier: Verifier,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
        let set = KeySet::new(vec![(Some("k1".to_owned()), key.verifying_key())]).unwrap();
        Self {
            key,
            verifier: builder(set).build().unwrap(),
        }
    }

    /// Signs these very bytes as header and payload.
    pub(crate) fn raw(&self, header: &str, payload: &[u8]) -> String {
        let signed = format!(
            "{}.{}",
            base64url::encode(header.as_bytes()),
            base64url::encode(payload)
        );
        format!(
            "{signed}.{}",
            base64url::encode(&self.key.sign(signed.as_bytes()).unwrap())
        )
    }

    pub(crate) fn with_header(&self, header: &str) -> Result<(), Error> {
        self.check(&self.raw(header, claims().to_string().as_bytes()))
    }

    pub(crate) fn with_payload(&self, payload: &[u8]) -> Result<(), Error> {
        self.check(&self.raw(HEADER, payload))
    }

    pub(crate) fn with_claim(&self, name: &str, value: &str) -> Result<(), Error> {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        let rest = claims.to_string();
        self.with_payload(format!("{{\"{name}\":{value},{}", &rest[1..]).as_bytes())
    }

    pub(crate) fn check(&self, token: &str) -> Result<(), Error> {
        self.verifier.verify_owned::<Value>(token, NOW).map(|_| ())
    }
}

pub(crate) const HEADER: &str = r#"{"alg":"ES256","typ":"at+jwt","kid":"k1"}"#;

pub(crate) fn builder(set: KeySet) -> VerifierBuilder {
    builder_over(Arc::new(set))
}

pub(crate) fn builder_over(source: impl KeySource + 'static) -> VerifierBuilder {
    Verifier::builder(source)
        .algorithms(&[Algorithm::Es256])
        .token_type(TokenType::AccessToken)
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .require(&["sub", "client_id"])
}

pub(crate) fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "client_id": "web", "iat": NOW, "exp": NOW + 900, "jti": "x" })
}

/// A key or signature that is odd by design, from `vectors/odd_keys.json`: OpenSSL made them, and arithmetic the `roca` one.
pub(crate) fn odd_key(name: &str) -> String {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/odd_keys.json")).unwrap();
    match &vectors[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
