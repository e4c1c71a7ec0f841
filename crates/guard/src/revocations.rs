//! Where an issuer tells what it has taken back, and what to do when it does not.
//!
//! Spec: RFC 7009 §2.1 · RFC 6749 §2.3.1 (client_secret_basic)

use std::sync::{Arc, Mutex, PoisonError};

use carnet_client::clock::Clock;
use carnet_client::error::ClientError;
use carnet_client::http::HttpClient;
use carnet_client::revocations::{self, Keys, OnLoss};
use carnet_jose::Algorithm;

/// The issuer's revocation feed, and what to do when it is lost. Guards that are given clones of one follow together: the issuer is asked once,
/// and it is followed for as long as one of them, or a clone, is there.
#[derive(Clone)]
pub struct Revocations {
    url: String,
    id: String,
    secret: String,
    on_loss: OnLoss,
    followed: Arc<Mutex<Option<Followed>>>,
}

/// The issuer that is followed already, and what it has taken back.
type Followed = (String, revocations::Revocations);

impl Revocations {
    /// Follows the feed at this URL (the issuer's, with `/revocations` behind it), with the name and secret that the issuer knows this
    /// resource server by: those of introspection. When nothing is heard for 30 seconds, requests get 503.
    pub fn feed(url: impl Into<String>, id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            id: id.into(),
            secret: secret.into(),
            on_loss: OnLoss::default(),
            followed: Arc::default(),
        }
    }

    /// What to do when the feed is lost.
    pub fn on_loss(mut self, on_loss: OnLoss) -> Self {
        self.on_loss = on_loss;
        // Another policy than that of the one that it is a clone of.
        self.followed = Arc::default();
        self
    }

    /// Takes over what another one knows to be taken back, and which bundle of services is too old, until this one has heard everything itself: for
    /// one that follows the same issuer in its place, with another secret or policy. Called once more it takes over what the other one has heard
    /// since. Before both are followed, and for another issuer, there is nothing to take over.
    pub fn succeed(&self, before: &Self) {
        let followed = |one: &Self| {
            one.followed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
        };
        if let (Some((issuer, ours)), Some((same, known))) = (followed(self), followed(before))
            && issuer == same
        {
            ours.succeed(&known);
        }
    }

    /// Begins to follow, for tokens of this issuer, unless a clone does already.
    pub(crate) fn open(
        &self,
        issuer: &str,
        (keys, algorithms): (Keys, Vec<Algorithm>),
        (http, clock): (&HttpClient, Arc<dyn Clock>),
    ) -> Result<revocations::Revocations, ClientError> {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = followed.as_ref().filter(|(name, _)| name == issuer) {
            return Ok(known.clone());
        }
        let source = revocations::Source {
            url: self.url.clone(),
            id: self.id.clone(),
            secret: self.secret.clone(),
            issuer: issuer.to_owned(),
            keys,
            algorithms,
        };
        let opened = revocations::Revocations::with_clock(http.clone(), source, self.on_loss, clock)?;
        *followed = Some((issuer.to_owned(), opened.clone()));
        Ok(opened)
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
