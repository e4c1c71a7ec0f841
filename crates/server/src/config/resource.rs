//! An API that tokens are for: what a `[[resources]]` table says.
//!
//! Spec: RFC 8707 §2 (its audience) · RFC 7662 §2.1 (introspection)

use std::path::PathBuf;

use carnet_jose::Algorithm;
use serde::{Deserialize, Serialize};

/// `[[resources]]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// The `aud` of its tokens.
    pub audience: String,
    /// The algorithm its tokens are signed with. When it says nothing, the client's `access_token_signing` counts, and ES256 without that.
    #[serde(default)]
    pub signing: Option<Algorithm>,
    /// The secret shared with this one resource, mode 0600; for HS256, HS384 and HS512 only.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// The name it gives at the introspection endpoint.
    #[serde(default)]
    pub introspection_id: Option<String>,
    /// Its secret at the introspection endpoint, mode 0600.
    #[serde(default)]
    pub introspection_secret_file: Option<PathBuf>,
}

impl Resource {
    /// The algorithm its tokens are signed with when no client has one of its own.
    pub fn signing(&self) -> Algorithm {
        self.signing.unwrap_or(Algorithm::Es256)
    }
}
