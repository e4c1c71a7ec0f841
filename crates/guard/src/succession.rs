//! One guard in the place of another while a program runs: what the first knows is not asked for again.
//!
//! Spec: RFC 7517 §5 · RFC 9449 §11.1 (a proof counts once) · RFC 7519 §4.1.7 (and a token, where that is said)

use std::sync::Arc;
use std::time::Duration;

use carnet_client::bundle::RemoteServices;
use carnet_client::error::ClientError;
use carnet_client::http::HttpClient;
use carnet_client::jwks::RemoteKeys;
use carnet_client::keeper;
use carnet_client::revocations::Revocations;
use tokio::task::JoinSet;

use crate::calling_services::OpenServices;
use crate::issuer::{Issuer, Source};
use crate::replay::SeenTokens;
use crate::resource_server::{Builder, Guard, Trusted};
use crate::spiffe::OpenSpiffe;

impl Builder {
    /// Takes over what this guard has: what the same issuers are known to have taken back, and the proofs and the tokens for one request that it has
    /// seen; and, where both trust the same certificates when they ask issuers, the keys of those that are described in the same way and the bundle
    /// of the same issuer's services. What the other guard hears of a feed after this one was built,
    /// [`Revocations::succeed`](crate::Revocations::succeed) takes over.
    ///
    /// Guards of several audiences in one program may stand beside each other so: each issuer is asked once for all of them (for its feed, give them
    /// clones of one [`Revocations`](crate::Revocations); for the bundle, one name and leeway), and a proof or a token for one request counts once
    /// for all of them.
    pub fn after(mut self, before: &Guard) -> Self {
        self.before = Some(before.clone());
        self
    }

    pub(crate) fn source_of(&self, issuer: &Issuer, http: &HttpClient) -> Result<Source, ClientError> {
        let known = self.before.as_ref().and_then(|before| before.keys_of(issuer));
        match known.filter(|keys| keys.trusts_as(http)) {
            Some(keys) => Ok(Source::Remote(keys)),
            None => issuer.key_source(http, self.clock.clone()),
        }
    }

    /// Whether nobody keeps these keys fresh yet.
    pub(crate) fn is_new(&self, keys: &Arc<RemoteKeys>) -> bool {
        self.before.as_ref().is_none_or(|before| !before.holds(keys))
    }

    /// All at once: an issuer that does not answer takes its two seconds, however many there are.
    pub(crate) async fn fetch(
        &self,
        trusted: &[Trusted],
        services: Option<&OpenServices>,
        spiffe: Option<&OpenSpiffe>,
    ) {
        self.hand_over(trusted, services);
        let mut fetching = JoinSet::new();
        let of_issuers = trusted.iter().filter_map(|trusted| match &trusted.source {
            Source::Remote(keys) => Some(keys),
            Source::Fixed(_) => None,
        });
        let of_domains = spiffe.into_iter().flat_map(OpenSpiffe::domains);
        for keys in of_issuers.chain(of_domains.map(|domain| &domain.keys)) {
            let keys = keys.clone();
            if self.is_new(&keys) {
                keeper::keep(&keys);
            }
            fetching.spawn(async move { keys.prepare().await });
        }
        if let Some(services) = services {
            let (remote, told) = (services.remote.clone(), services.told());
            if self
                .before
                .as_ref()
                .is_none_or(|before| !before.has_bundle(&remote))
            {
                keeper::keep(&remote);
            }
            fetching.spawn(async move { remote.prepare(told).await });
        }
        let of_users = trusted.iter().filter_map(|trusted| trusted.revocations.as_ref());
        let of_services = services.and_then(OpenServices::own_revocations);
        for feed in of_users.chain(of_services) {
            // Who waited for it once has waited for all.
            if self.before.as_ref().is_none_or(|before| !before.has_feed(feed)) {
                let feed = feed.clone();
                fetching.spawn(async move { feed.prepare(FIRST_SET).await });
            }
        }
        fetching.join_all().await;
    }

    /// What was taken back stays so until whoever follows from now on has heard it itself.
    fn hand_over(&self, trusted: &[Trusted], services: Option<&OpenServices>) {
        let Some(before) = &self.before else {
            return;
        };
        let of_users = |issuer: &str| before.feed_of_users(issuer);
        let of_services = |issuer: &str| before.feed_of_services(issuer);
        for one in trusted {
            if let Some(ours) = &one.revocations {
                succeed(ours, [of_services(&one.name), of_users(&one.name)]);
            }
        }
        if let Some((ours, own)) = services.and_then(|own| own.own_revocations().zip(Some(own))) {
            succeed(ours, [of_users(&own.issuer), of_services(&own.issuer)]);
        }
    }

    pub(crate) fn services_before(&self) -> Option<&OpenServices> {
        self.before.as_ref()?.parts.services.as_deref()
    }

    pub(crate) fn spiffe_before(&self) -> Option<&OpenSpiffe> {
        self.before.as_ref()?.parts.spiffe.as_ref()
    }

    pub(crate) fn seen_so_far(&self) -> Arc<SeenTokens> {
        match &self.before {
            Some(before) => before.parts.seen.clone(),
            None => Arc::new(SeenTokens::of_proofs()),
        }
    }
}

/// The last that knows anything counts: one that has heard, and of two that have the second.
fn succeed(ours: &Revocations, mut known: [Option<&Revocations>; 2]) {
    known.sort_by_key(|known| known.is_some_and(|known| known.status().age.is_some()));
    known.into_iter().flatten().for_each(|known| ours.succeed(known));
}

impl Guard {
    fn keys_of(&self, issuer: &Issuer) -> Option<Arc<RemoteKeys>> {
        let described = issuer.described()?;
        let mut trusted = self.parts.trusted.iter();
        let same = trusted
            .find(|trusted| trusted.name == issuer.name && trusted.described.as_ref() == Some(&described))?;
        match &same.source {
            Source::Remote(keys) => Some(keys.clone()),
            Source::Fixed(_) => None,
        }
    }

    fn feed_of_users(&self, issuer: &str) -> Option<&Revocations> {
        let mut trusted = self.parts.trusted.iter();
        trusted
            .find(|trusted| trusted.name == issuer)?
            .revocations
            .as_ref()
    }

    fn feed_of_services(&self, issuer: &str) -> Option<&Revocations> {
        let services = self.parts.services.as_deref();
        services
            .filter(|services| services.issuer == issuer)?
            .revocations
            .as_ref()
    }

    fn has_feed(&self, feed: &Revocations) -> bool {
        let of_users = self
            .parts
            .trusted
            .iter()
            .filter_map(|trusted| trusted.revocations.as_ref());
        let services = self.parts.services.as_deref();
        let of_services = services.and_then(|services| services.revocations.as_ref());
        of_users.chain(of_services).any(|known| known.is_same_as(feed))
    }

    fn has_bundle(&self, remote: &Arc<RemoteServices>) -> bool {
        let services = self.parts.services.as_deref();
        services.is_some_and(|services| Arc::ptr_eq(&services.remote, remote))
    }

    fn holds(&self, keys: &Arc<RemoteKeys>) -> bool {
        let mut sources = self.parts.trusted.iter().map(|trusted| &trusted.source);
        sources.any(|source| matches!(source, Source::Remote(known) if Arc::ptr_eq(known, keys)))
            || self.trust_domains().any(|domain| Arc::ptr_eq(&domain.keys, keys))
    }
}

/// How long is waited for what an issuer has taken back, as for its keys.
pub(crate) const FIRST_SET: Duration = Duration::from_secs(2);
