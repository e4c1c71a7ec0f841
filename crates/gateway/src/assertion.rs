//! Who asks, signed: services need not believe a header because of the network that it came from.
//!
//! Spec: RFC 7519 · RFC 8725 §3.11 (explicit typing) · RFC 7517 §5 (the published key) · RFC 7638

use std::path::Path;
use std::sync::Arc;

use axum::response::{IntoResponse as _, Response};
use carnet_guard::{Algorithm, Auth, Clock};
use carnet_jose::{AnySigningKey, KeySet, Signer, TokenType, primitive};
use carnet_listen::secret_file;
use http::{HeaderName, HeaderValue, header};
use quick_cache::sync::Cache;
use serde_json::{Map, Value};

use crate::config;
use crate::load::ConfigError;

/// The header.
pub const HEADER: HeaderName = HeaderName::from_static("x-identity-assertion");
/// Where services find the key, on every host.
pub const JWKS_PATH: &str = "/.well-known/identity-assertion-jwks.json";

/// Signs assertions with the gateway's own key.
pub struct Assertions {
    issuer: String,
    lifetime: u64,
    signer: Signer,
    jwks: String,
    clock: Arc<dyn Clock>,
    /// By the SHA-256 of token and audience.
    signed: Cache<[u8; 32], (HeaderValue, u64)>,
}

impl Assertions {
    /// With the private key of the file (EC, P-256, PKCS#8 PEM), which must be its owner's alone.
    pub(crate) fn new(config: &config::Assertion, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let lifetime = config.lifetime.as_seconds();
        if !(10..=LONGEST).contains(&lifetime) {
            let what = format!("{} is not between 10s and {LONGEST}s", config.lifetime);
            return Err(ConfigError::at("assertion.lifetime", what, "write \"60s\""));
        }
        let key = read_key(&config.key_file)?;
        let wrong = |error: carnet_jose::Error| unusable(&error);
        // RFC 7638: replicas with the same file call it the same.
        let kid = key.thumbprint().map_err(wrong)?;
        let set = KeySet::new(vec![(Some(kid.clone()), key.verifying_key())]).map_err(wrong)?;
        Ok(Self {
            issuer: config.issuer.clone(),
            lifetime,
            signer: Signer::new(key, TokenType::Other(TYPE), Some(kid)).map_err(wrong)?,
            jwks: set.to_jwks_json().map_err(wrong)?,
            clock,
            signed: Cache::new(CAPACITY),
        })
    }

    /// The assertion about a caller, for one service. The same one for half of its life; never longer than the caller's token.
    pub(crate) fn header(&self, auth: &Auth, token: &HeaderValue, audience: &str) -> Option<HeaderValue> {
        let now = self.clock.since_epoch().as_secs();
        let key = primitive::sha256(&[token.as_bytes(), b"\0", audience.as_bytes()].concat());
        if let Some((value, until)) = self.signed.get(&key)
            && now < until
        {
            return Some(value);
        }
        let expires = auth.expires().unwrap_or(u64::MAX).min(now + self.lifetime);
        let signed = self.signer.sign(&self.claims(auth, audience, (now, expires)));
        let mut value = signed.ok().and_then(|token| HeaderValue::try_from(token).ok())?;
        value.set_sensitive(true);
        let until = now + expires.saturating_sub(now) / 2;
        self.signed.insert(key, (value.clone(), until));
        Some(value)
    }

    fn claims(&self, auth: &Auth, audience: &str, (now, expires): (u64, u64)) -> Map<String, Value> {
        let mut claims = Map::new();
        for name in PASSED_ON {
            if let Some(value) = auth.claim(name) {
                claims.insert((*name).to_owned(), value.clone());
            }
        }
        let own = [
            ("iss", Value::from(self.issuer.as_str())),
            ("aud", Value::from(audience)),
            ("iat", Value::from(now)),
            ("exp", Value::from(expires)),
        ];
        claims.extend(own.map(|(name, value)| (name.to_owned(), value)));
        claims
    }

    /// The answer at [`JWKS_PATH`].
    pub(crate) fn published(&self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, "application/jwk-set+json"),
            (header::CACHE_CONTROL, "public, max-age=300"),
        ];
        (headers, self.jwks.clone()).into_response()
    }
}

fn read_key(file: &Path) -> Result<AnySigningKey, ConfigError> {
    let secret = secret_file::read_or_say(file).map_err(|error| unusable(&error))?;
    let text = std::str::from_utf8(&secret).map_err(|error| unusable(&error))?;
    AnySigningKey::from_pem(text, Algorithm::Es256).map_err(|error| unusable(&error))
}

fn unusable(error: &dyn std::fmt::Display) -> ConfigError {
    ConfigError::at(
        "assertion.key_file",
        error,
        "make one: carnet jwk generate --algorithm ES256 --format pem --out assertion.pem",
    )
}

impl std::fmt::Debug for Assertions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assertions")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// Its own `typ`: it is taken for no access token, and no access token for it.
const TYPE: &str = "identity+jwt";
/// Seconds.
const LONGEST: u64 = 60;
const CAPACITY: usize = 10_000;

/// What a service may want to know of the caller. The token's own name is not among it: nothing can be done with an assertion but read it.
const PASSED_ON: &[&str] = &[
    "sub",
    "client_id",
    "sid",
    "scope",
    "roles",
    "permissions",
    "act",
    "auth_time",
    "acr",
    "amr",
];
