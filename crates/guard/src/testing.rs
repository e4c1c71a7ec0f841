//! An issuer for tests: tokens without a server, accepted by a guard without a network.
//!
//! ```
//! use carnet_guard::testing::TestIssuer;
//!
//! # async fn example() {
//! let issuer = TestIssuer::new();
//! let guard = issuer.resource_server("https://api.example.com").build().await.unwrap();
//! let token = issuer.token("alice").audience("https://api.example.com").scope("read:orders").role("editor").sign();
//! # }
//! ```

use std::time::Duration;

use carnet_client::clock::{Clock, SystemClock};
use carnet_jose::{Algorithm, AnySigningKey, AnyVerifyingKey, Signer, TokenType};
use serde_json::{Map, Value};

use crate::issuer::Issuer;
use crate::resource_server::{Builder, ResourceServer};

/// Makes tokens for tests.
#[derive(Debug)]
pub struct TestIssuer {
    signer: Signer,
    key: AnyVerifyingKey,
}

/// The `iss` of its tokens.
pub const ISSUER: &str = "https://issuer.test";

impl TestIssuer {
    /// With a key that nobody else has.
    ///
    /// # Panics
    /// When the machine gives no randomness.
    #[expect(clippy::expect_used, reason = "for tests, where a panic is the report")]
    pub fn new() -> Self {
        let key = AnySigningKey::generate(Algorithm::Es256).expect("the machine gives randomness");
        let public = key.verifying_key();
        let signer =
            Signer::new(key, TokenType::AccessToken, Some("test".to_owned())).expect("the header is JSON");
        Self { signer, key: public }
    }

    /// A resource server that believes this issuer.
    pub fn resource_server(&self, audience: &str) -> Builder {
        ResourceServer::new(audience).issuer(Issuer::key(ISSUER, self.key.clone()))
    }

    /// A token about this user, valid for a quarter of an hour.
    pub fn token(&self, sub: &str) -> TestToken<'_> {
        let now = SystemClock.since_epoch().as_secs();
        let claims = [
            ("iss", Value::from(ISSUER)),
            ("sub", sub.into()),
            ("client_id", "test".into()),
            ("jti", format!("{sub}-{now}").into()),
            ("iat", now.into()),
            ("exp", (now + 900).into()),
        ];
        TestToken {
            issuer: self,
            claims: claims
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        }
    }
}

impl Default for TestIssuer {
    fn default() -> Self {
        Self::new()
    }
}

/// A token in the making.
#[derive(Debug)]
pub struct TestToken<'i> {
    issuer: &'i TestIssuer,
    claims: Map<String, Value>,
}

impl TestToken<'_> {
    /// For whom it is meant.
    pub fn audience(self, audience: &str) -> Self {
        self.claim("aud", audience)
    }

    /// What it may be used for, space-separated.
    pub fn scope(self, scope: &str) -> Self {
        self.claim("scope", scope)
    }

    /// Adds a role.
    pub fn role(mut self, role: &str) -> Self {
        let roles = self
            .claims
            .entry("roles")
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(roles) = roles {
            roles.push(role.into());
        }
        self
    }

    /// Expired this long ago.
    pub fn expired(self, ago: Duration) -> Self {
        let exp = SystemClock.since_epoch().saturating_sub(ago).as_secs();
        self.claim("exp", exp)
    }

    /// Sets any claim.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// The token.
    ///
    /// # Panics
    /// When the machine gives no randomness.
    #[expect(clippy::expect_used, reason = "for tests, where a panic is the report")]
    pub fn sign(self) -> String {
        self.issuer.signer.sign(&self.claims).expect("claims are JSON")
    }
}
