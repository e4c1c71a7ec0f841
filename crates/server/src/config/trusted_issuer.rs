//! Another issuer whose word about a user counts here: what a `[[trusted_issuers]]` table says.
//!
//! Spec: RFC 7523 §2.1, §3 (the assertions that it signs)

use std::path::PathBuf;

use carnet_jose::{Algorithm, KeySet};
use serde::{Deserialize, Serialize};

use super::client::{ASSERTION_ALGORITHMS, one_or_set};
use carnet_listen::value::Ttl;

/// `[[trusted_issuers]]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedIssuer {
    /// The `iss` of its assertions, byte for byte.
    pub issuer: String,
    /// Where its public keys are, an https URL.
    #[serde(default)]
    pub jwks_uri: Option<String>,
    /// Or a file with them, a JWKS.
    #[serde(default)]
    pub jwks_file: Option<PathBuf>,
    /// Or the keys themselves.
    #[serde(default)]
    pub jwks: Option<serde_json::Value>,
    /// What its assertions may be signed with.
    #[serde(default = "every_algorithm")]
    pub algorithms: Vec<Algorithm>,
    /// The clients that may bring its assertions.
    pub clients: Vec<String>,
    /// What the `sub` of an assertion is.
    #[serde(default)]
    pub subject: SubjectIs,
    /// How long an assertion may live.
    #[serde(default = "five_minutes")]
    pub longest_life: Ttl,
    /// Whether the `typ` of an assertion has to be `authorization-grant+jwt`; else `JWT` or none will do.
    #[serde(default)]
    pub require_type: bool,
}

/// What the `sub` of a trusted issuer's assertion is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectIs {
    /// The user's name in our own tokens.
    #[default]
    Sub,
    /// The user's e-mail address, which we know to be theirs.
    Email,
}

impl TrustedIssuer {
    /// The keys that do not have to be fetched: those of its file, or the ones that are written down.
    pub fn fixed_keys(&self) -> Result<KeySet, String> {
        let text = match (&self.jwks_file, &self.jwks) {
            (Some(file), _) => std::fs::read(file).map_err(|error| error.to_string())?,
            (None, jwks) => jwks.as_ref().map(ToString::to_string).unwrap_or_default().into(),
        };
        let one = serde_json::from_slice(&text).ok();
        let one = one.filter(|jwks: &serde_json::Value| jwks.get("kty").is_some());
        // A set stays as it is written, so that what is wrong with it is seen.
        let text = one.map_or(text, |one| one_or_set(one).to_string().into());
        let parsed = KeySet::from_jwks_json(&text, &self.algorithms).map_err(|error| error.to_string())?;
        Ok(parsed.set)
    }
}

fn every_algorithm() -> Vec<Algorithm> {
    ASSERTION_ALGORITHMS.to_vec()
}

fn five_minutes() -> Ttl {
    Ttl::minutes(5)
}
