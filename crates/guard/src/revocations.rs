//! Where an issuer tells what it has taken back, and what to do when it does not.
//!
//! Spec: RFC 7009 §2.1 · RFC 6749 §2.3.1 (client_secret_basic)

use std::sync::Arc;

use carnet_client::clock::Clock;
use carnet_client::error::ClientError;
use carnet_client::http::HttpClient;
use carnet_client::revocations::{self, Keys, OnLoss};
use carnet_jose::Algorithm;

/// The issuer's revocation feed, and what to do when it is lost.
#[derive(Clone)]
pub struct Revocations {
    url: String,
    id: String,
    secret: String,
    on_loss: OnLoss,
}

impl Revocations {
    /// Follows the feed at this URL (the issuer's, with `/revocations` behind it), with the name and secret that the issuer knows this
    /// resource server by: those of introspection. When nothing is heard for 30 seconds, requests get 503.
    pub fn feed(url: impl Into<String>, id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            id: id.into(),
            secret: secret.into(),
            on_loss: OnLoss::default(),
        }
    }

    /// What to do when the feed is lost.
    pub fn on_loss(mut self, on_loss: OnLoss) -> Self {
        self.on_loss = on_loss;
        self
    }

    /// Begins to follow, for tokens of this issuer.
    pub(crate) fn open(
        &self,
        issuer: &str,
        (keys, algorithms): (Keys, Vec<Algorithm>),
        (http, clock): (&HttpClient, Arc<dyn Clock>),
    ) -> Result<revocations::Revocations, ClientError> {
        let source = revocations::Source {
            url: self.url.clone(),
            id: self.id.clone(),
            secret: self.secret.clone(),
            issuer: issuer.to_owned(),
            keys,
            algorithms,
        };
        revocations::Revocations::with_clock(http.clone(), source, self.on_loss, clock)
    }
}

impl std::fmt::Debug for Revocations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Revocations")
            .field("url", &self.url)
            .field("id", &self.id)
            .field("on_loss", &self.on_loss)
            .finish_non_exhaustive()
    }
}
