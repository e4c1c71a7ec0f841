//! What a bundle comes to: each service with what checks its tokens.
//!
//! Spec: RFC 7517 §5 · RFC 8725 §3.1, §3.8, §3.9, §3.11

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use carnet_jose::{Accepted, CachedVerifier, Error, KeySet, TokenType, Verifier, primitive};
use carnet_oauth::service_token::{
    ALGORITHMS, BundledService, LONGEST_SECONDS, ServiceBundle, ServiceTokenClaims, TYPE, is_name,
};
use http::HeaderValue;
use serde_json::json;

/// A bundle that is believed.
pub(super) struct Known {
    /// By `iss`.
    pub(super) services: HashMap<String, Arc<Service>>,
    pub(super) sequence: i64,
    /// A digest of what is said of the services.
    pub(super) said: [u8; 32],
    pub(super) iat: u64,
    pub(super) exp: u64,
    pub(super) hint: Duration,
    pub(super) etag: Option<HeaderValue>,
    pub(super) body: Bytes,
    pub(super) fetched: Duration,
}

impl Known {
    /// The same, looked at a moment ago. What was remembered of its tokens still holds.
    pub(super) fn again(&self, now: Duration) -> Self {
        Self {
            services: self.services.clone(),
            etag: self.etag.clone(),
            body: self.body.clone(),
            fetched: now,
            ..*self
        }
    }
}

/// A service that the bundle names.
pub struct Service {
    /// Its `client_id`.
    pub name: Arc<str>,
    /// The names of the services that it may call; empty when the bundle does not say.
    pub calls: Vec<String>,
    verifier: CachedVerifier<ServiceTokenClaims>,
}

impl Service {
    /// What a token says, if this service has signed it for us, and not longer than five minutes ago. [`ServiceTokenClaims::flaw`] is asked as
    /// well.
    ///
    /// # Errors
    ///
    /// As [`CachedVerifier::verify`].
    pub fn verify(&self, token: &str, now: u64) -> Result<Arc<Accepted<ServiceTokenClaims>>, Error> {
        self.verifier.verify(token, now)
    }
}

/// The parts put together: all of one bundle, and none of them missing.
pub(super) fn known(
    parts: Vec<ServiceBundle>,
    (audience, leeway): (&str, Duration),
    (etag, body, fetched): (Option<HeaderValue>, Bytes, Duration),
) -> Result<Known, &'static str> {
    let first = parts.first().ok_or("the bundle is empty")?;
    let (sequence, iat, exp) = (first.sequence, first.iat, first.exp);
    let hint = Duration::from_secs(first.refresh_hint.clamp(1, LONGEST_HINT_SECONDS));
    let whole = parts.iter().enumerate().all(|(index, part)| {
        let same = (part.sequence, part.iat, part.exp) == (sequence, iat, exp);
        same && part.part == index + 1 && part.parts == parts.len()
    });
    if !whole {
        return Err("the parts of the bundle do not belong together");
    }
    let services = parts.iter().map(|part| &part.services);
    let said = serde_json::to_vec(&(first.refresh_hint, services.collect::<Vec<_>>()));
    let said = primitive::sha256(&said.map_err(|_| "the bundle cannot be written")?);
    let mut services = HashMap::new();
    for bundled in parts.into_iter().flat_map(|part| part.services) {
        let iss = bundled.iss.clone();
        match service(bundled, audience, leeway) {
            Ok(service) => {
                if services.insert(iss, Arc::new(service)).is_some() {
                    return Err("the bundle names a service twice");
                }
            }
            // One odd service takes none of the others down with it.
            Err(error) => tracing::warn!(iss, %error, "a service of the bundle cannot be used"),
        }
    }
    Ok(Known {
        services,
        sequence,
        said,
        iat,
        exp,
        hint,
        etag,
        body,
        fetched,
    })
}

fn service(bundled: BundledService, audience: &str, leeway: Duration) -> Result<Service, Error> {
    // Workloads have names as well, and theirs are SPIFFE IDs.
    if !is_name(&bundled.name) {
        return Err(Error::ClaimWrongType);
    }
    let jwks = json!({ "keys": bundled.keys }).to_string();
    let keys = KeySet::from_jwks_json(jwks.as_bytes(), ALGORITHMS)?.set;
    let verifier = Verifier::builder(Arc::new(keys))
        .algorithms(ALGORITHMS)
        .token_type(TokenType::Other(TYPE))
        .issuer(bundled.iss.as_str())
        .audience(audience)
        .leeway(leeway)
        .max_token_age(Duration::from_secs(LONGEST_SECONDS))
        .require(&["sub", "jti", "iat"])
        .build()?;
    Ok(Service {
        name: bundled.name.into(),
        calls: bundled.calls,
        verifier: CachedVerifier::new(verifier, REMEMBERED),
    })
}

/// Whatever a bundle says: whoever was disabled is not believed for longer.
const LONGEST_HINT_SECONDS: u64 = 3_600;
/// Tokens of one service whose signature is not checked again: its instances each use one for a while.
const REMEMBERED: usize = 64;
