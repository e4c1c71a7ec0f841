//! Who asks, signed: services need not believe a header because of the network that it came from.
//!
//! Spec: RFC 7519 · RFC 8725 §3.11 (explicit typing) · RFC 9493 §4.1 (sub_id) · RFC 7517 §5 (the published key) · RFC 7638

use std::path::Path;
use std::sync::Arc;

use axum::response::{IntoResponse as _, Response};
use carnet_guard::{Algorithm, Auth, Caller, Clock};
use carnet_jose::{AnySigningKey, KeySet, Signer, TokenType, primitive};
use carnet_listen::secret_file;
use carnet_oauth::identity_assertion::{self, LONGEST_SECONDS, SERVICE_TYPE, TYPE};
use http::{HeaderName, HeaderValue, header};
use quick_cache::sync::Cache;
use serde_json::{Map, Value};

use crate::config;
use crate::load::ConfigError;
use crate::refusal::{Refusal, broken};

/// The header.
pub const HEADER: HeaderName = HeaderName::from_static(identity_assertion::HEADER);
/// Where services find the key, on every host.
pub const JWKS_PATH: &str = identity_assertion::JWKS_PATH;

/// Signs assertions with the gateway's own key.
pub struct Assertions {
    issuer: String,
    lifetime: u64,
    /// The claims that are passed on.
    passed_on: Vec<String>,
    signer: Signer,
    /// Of services that call in their own name, with the same key.
    service_signer: Signer,
    jwks: String,
    clock: Arc<dyn Clock>,
    /// By the SHA-256 of token, audience, and what is said: of one token its issuer may say another thing each time it is asked.
    signed: Cache<[u8; 32], (HeaderValue, u64)>,
}

impl Assertions {
    /// With the private key of the file (EC, P-256, PKCS#8 PEM), which must be its owner's alone.
    pub(crate) fn new(config: &config::Assertion, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let lifetime = config.lifetime.as_seconds();
        if !(10..=LONGEST_SECONDS).contains(&lifetime) {
            let what = format!("{} is not between 10s and {LONGEST_SECONDS}s", config.lifetime);
            return Err(ConfigError::at("assertion.lifetime", what, "write \"60s\""));
        }
        let key = read_key(&config.key_file, "assertion.key_file")?;
        let wrong = |error: carnet_jose::Error| unusable(&error, "assertion.key_file");
        // RFC 7638: replicas with the same file call it the same.
        let kid = key.thumbprint().map_err(wrong)?;
        let mut published = vec![(Some(kid.clone()), key.verifying_key())];
        for (at, file) in config.other_key_files.iter().enumerate() {
            let place = format!("assertion.other_key_files[{at}]");
            let other = read_key(file, &place)?;
            let kid = other.thumbprint().map_err(|error| unusable(&error, &place))?;
            // While two change places, one file may stand in both.
            if published.iter().all(|(known, _)| known.as_ref() != Some(&kid)) {
                published.push((Some(kid), other.verifying_key()));
            }
        }
        let set = KeySet::new(published).map_err(wrong)?;
        let same = key.to_jwk_private().and_then(|jwk| AnySigningKey::from_jwk(&jwk));
        let same = same.map_err(wrong)?;
        let signer = |key, typ| Signer::new(key, TokenType::Other(typ), Some(kid.clone())).map_err(wrong);
        Ok(Self {
            issuer: config.issuer.clone(),
            lifetime,
            passed_on: passed_on(&config.claims)?,
            signer: signer(key, TYPE)?,
            service_signer: signer(same, SERVICE_TYPE)?,
            jwks: set.to_jwks_json().map_err(wrong)?,
            clock,
            signed: Cache::new(CAPACITY),
        })
    }

    /// The assertion about a user, for one service. The same one for half of its life; never longer than the user's token.
    pub(crate) fn header(
        &self,
        auth: &Auth,
        token: &HeaderValue,
        audience: &str,
    ) -> Result<HeaderValue, Refusal> {
        let about = (self.about(auth), auth.expires());
        self.remembered(&self.signer, (token, audience), about)
    }

    /// The assertion about a service that calls in its own name, for one other. Where it calls for a user, it has a token about that user, and the
    /// assertion is about the user, with the service in `act`.
    pub(crate) fn service_header(
        &self,
        service: &Caller,
        token: &HeaderValue,
        audience: &str,
    ) -> Result<HeaderValue, Refusal> {
        let mut about = Map::new();
        about.insert("sub".to_owned(), service.id().into());
        about.insert("client_id".to_owned(), service.name().into());
        self.remembered(
            &self.service_signer,
            (token, audience),
            (about, service.expires()),
        )
    }

    fn remembered(
        &self,
        signer: &Signer,
        (token, audience): (&HeaderValue, &str),
        (mut claims, expires): (Map<String, Value>, Option<u64>),
    ) -> Result<HeaderValue, Refusal> {
        let now = self.clock.since_epoch().as_secs();
        let said = serde_json::to_vec(&(&claims, expires)).map_err(broken)?;
        let key = primitive::sha256(&[token.as_bytes(), b"\0", audience.as_bytes(), b"\0", &said].concat());
        if let Some((value, until)) = self.signed.get(&key)
            && now < until
        {
            return Ok(value);
        }
        let expires = expires.unwrap_or(u64::MAX).min(now + self.lifetime);
        claims.extend(self.own(audience, (now, expires)));
        let mut value = HeaderValue::try_from(signer.sign(&claims).map_err(broken)?).map_err(broken)?;
        value.set_sensitive(true);
        let until = now + expires.saturating_sub(now) / 2;
        self.signed.insert(key, (value.clone(), until));
        Ok(value)
    }

    /// What services may know of a user.
    fn about(&self, auth: &Auth) -> Map<String, Value> {
        let mut claims = Map::new();
        for name in &self.passed_on {
            if let Some(value) = auth.claim(name) {
                claims.insert(name.clone(), value);
            }
        }
        // Of two issuers each may have a user of that name.
        if !auth.iss().is_empty() {
            let subject = identity_assertion::subject(auth.iss(), auth.sub());
            claims.insert("sub_id".to_owned(), subject);
        }
        claims
    }

    fn own(&self, audience: &str, (now, expires): (u64, u64)) -> [(String, Value); 4] {
        let own = [
            ("iss", Value::from(self.issuer.as_str())),
            ("aud", Value::from(audience)),
            ("iat", Value::from(now)),
            ("exp", Value::from(expires)),
        ];
        own.map(|(name, value)| (name.to_owned(), value))
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

fn passed_on(more: &[String]) -> Result<Vec<String>, ConfigError> {
    if let Some(own) = more
        .iter()
        .find(|name| identity_assertion::OWN.contains(&name.as_str()))
    {
        let what = format!("{own:?} is the assertion's own");
        return Err(ConfigError::at("assertion.claims", what, "take it away"));
    }
    let mut names: Vec<String> = PASSED_ON.iter().map(|name| (*name).to_owned()).collect();
    names.extend(more.iter().cloned());
    Ok(names)
}

fn read_key(file: &Path, place: &str) -> Result<AnySigningKey, ConfigError> {
    let secret = secret_file::read_or_say(file).map_err(|error| unusable(&error, place))?;
    let text = std::str::from_utf8(&secret).map_err(|error| unusable(&error, place))?;
    AnySigningKey::from_pem(text, Algorithm::Es256).map_err(|error| unusable(&error, place))
}

fn unusable(error: &dyn std::fmt::Display, place: &str) -> ConfigError {
    ConfigError::at(
        place,
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
