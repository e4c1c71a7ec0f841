//! Another issuer whose word about a user counts here: what a `[[trusted_issuers]]` table says.
//!
//! Spec: RFC 7523 §2.1, §3 (the assertions that it signs)

use std::path::PathBuf;

use carnet_jose::Algorithm;
use serde::{Deserialize, Serialize};

use super::client::ASSERTION_ALGORITHMS;
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

fn every_algorithm() -> Vec<Algorithm> {
    ASSERTION_ALGORITHMS.to_vec()
}

fn five_minutes() -> Ttl {
    Ttl::minutes(5)
}
