//! Other issuers whose word about a user counts here, with their keys.
//!
//! Spec: RFC 7523 §3 · RFC 7517 §5

use std::sync::Arc;
use std::time::Duration;

use carnet_client::http::HttpClient;
use carnet_client::jwks::{Location, RemoteKeys};

use crate::assertion::{AssertionVerifier, Expected, GRANT, Keys};
use crate::config::{self, Config};
use crate::outbound;

/// How far the clocks of other issuers may be from ours.
const LEEWAY: Duration = Duration::from_secs(30);

/// An issuer that the operator trusts.
pub struct TrustedIssuer {
    /// What the configuration says of it.
    pub config: config::TrustedIssuer,
    /// What its assertions are checked with.
    pub assertions: AssertionVerifier,
}

impl TrustedIssuer {
    /// All that the configuration names. Keys that lie elsewhere are fetched when the first assertion comes.
    pub(crate) fn all(config: &Config) -> Result<Vec<Self>, String> {
        if config.trusted_issuers.is_empty() {
            return Ok(Vec::new());
        }
        let http = outbound::http_client(config).map_err(|error| error.to_string())?;
        let each = config.trusted_issuers.iter();
        each.map(|trusted| Self::load(config, trusted, &http)).collect()
    }

    fn load(config: &Config, trusted: &config::TrustedIssuer, http: &HttpClient) -> Result<Self, String> {
        let wrong = |what: String| format!("the keys of the trusted issuer {}: {what}", trusted.issuer);
        let expected = Expected {
            issuer: &trusted.issuer,
            audiences: vec![config.issuer.as_str().to_owned()],
            algorithms: &trusted.algorithms,
            typed: GRANT,
            require_type: trusted.require_type,
            leeway: LEEWAY,
        };
        let keys = keys(trusted, http).map_err(wrong)?;
        Ok(Self {
            assertions: AssertionVerifier::new(keys, &expected).map_err(|error| wrong(error.to_string()))?,
            config: trusted.clone(),
        })
    }
}

fn keys(trusted: &config::TrustedIssuer, http: &HttpClient) -> Result<Keys, String> {
    if let Some(uri) = &trusted.jwks_uri {
        let remote = RemoteKeys::new(http.clone(), Location::Jwks(uri.clone()), &trusted.algorithms);
        return Ok(Keys::Remote(Arc::new(remote)));
    }
    Ok(Keys::Fixed(Arc::new(trusted.fixed_keys()?)))
}
