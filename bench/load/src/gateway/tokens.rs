//! Tokens and keys, and the files in which each gateway finds what it checks with.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use carnet_guard::{Clock as _, SystemClock};
use carnet_jose::{Algorithm, AnySigningKey, KeySet, Signer, TokenType};
use serde_json::json;

use crate::Outcome;

/// Who signs, by ES256 and by RS256 (2,048 bits, as most issuers have).
pub(super) struct Issuer {
    es256: Signer,
    rs256: Signer,
}

impl Issuer {
    /// Makes keys; leaves them in the folder as `jwks.json`, `es256.pem` and `rs256.pem`.
    pub(super) fn create(folder: &Path) -> Outcome<Self> {
        let rsa = folder.join("rsa.pem");
        let mut openssl = Command::new("openssl");
        openssl.args([
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
            "-out",
        ]);
        if !openssl.arg(&rsa).stderr(Stdio::null()).status()?.success() {
            return Err("openssl made no RSA key".into());
        }
        let rsa = AnySigningKey::from_pem(&std::fs::read_to_string(rsa)?, Algorithm::Rs256)?;
        let ec = AnySigningKey::generate(Algorithm::Es256)?;
        std::fs::write(folder.join("rs256.pem"), rsa.verifying_key().to_spki_pem()?)?;
        std::fs::write(folder.join("es256.pem"), ec.verifying_key().to_spki_pem()?)?;
        let named = vec![
            (Some("ec".to_owned()), ec.verifying_key()),
            (Some("rsa".to_owned()), rsa.verifying_key()),
        ];
        std::fs::write(folder.join("jwks.json"), KeySet::new(named)?.to_jwks_json()?)?;
        Ok(Self {
            es256: Signer::new(ec, TokenType::AccessToken, Some("ec".to_owned()))?,
            rs256: Signer::new(rsa, TokenType::AccessToken, Some("rsa".to_owned()))?,
        })
    }

    /// A token that nobody has seen: `name` is its user and its `jti`.
    pub(super) fn token(&self, algorithm: Algorithm, name: &str) -> Outcome<String> {
        let now = SystemClock.since_epoch().as_secs();
        let signer = if algorithm == Algorithm::Es256 {
            &self.es256
        } else {
            &self.rs256
        };
        Ok(signer.sign(&json!({
            "iss": "https://auth.example.com",
            "aud": "https://api.example.com",
            "sub": name,
            "client_id": "web",
            "jti": format!("jti_{name}"),
            "iat": now,
            "exp": now + 7200,
            "scope": "read:orders write:orders",
            "roles": ["editor", "reviewer"],
        }))?)
    }

    /// As many of them.
    pub(super) fn tokens(&self, algorithm: Algorithm, count: usize) -> Outcome<Arc<Vec<String>>> {
        let made: Outcome<Vec<_>> = (0..count)
            .map(|at| self.token(algorithm, &format!("user_{at:08}")))
            .collect();
        Ok(Arc::new(made?))
    }
}
