//! Where a feed is, who asks, and whose signature counts.
//!
//! Spec: RFC 6749 §2.3.1 (client_secret_basic)

use std::sync::Arc;

use carnet_jose::{Algorithm, KeySource};

use crate::jwks::RemoteKeys;

/// Where the feed is, and who asks.
#[derive(Clone)]
pub struct Source {
    /// The URL: the issuer's, with `/revocations` behind it.
    pub url: String,
    /// The name that the issuer knows this resource server by: the one that it introspects with.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// The issuer, byte for byte as in its metadata.
    pub issuer: String,
    /// Which keys sign the messages.
    pub keys: Keys,
    /// What their signatures may be.
    pub algorithms: Vec<Algorithm>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("url", &self.url)
            .field("id", &self.id)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// The keys that sign the messages of a feed.
#[derive(Clone)]
pub enum Keys {
    /// Those that the issuer publishes.
    Remote(Arc<RemoteKeys>),
    /// Some that do not change.
    Fixed(Arc<dyn KeySource>),
}
