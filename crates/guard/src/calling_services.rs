//! Services that call this one in their own name: who may, and which tokens were spent.
//!
//! Spec: RFC 7519 §4.1.7 (jti) · RFC 9110 §9.2.1 (safe methods)

use std::sync::Arc;
use std::time::Duration;

use carnet_client::bundle::{RemoteServices, Service};
use carnet_client::clock::Clock;
use carnet_client::error::ClientError;
use carnet_client::http::HttpClient;
use carnet_client::revocations::{self, ToldOfServices};
use carnet_jose::primitive;
use carnet_oauth::service_token::LONGEST_SECONDS;
use http::request::Parts;

use crate::caller::Caller;
use crate::challenge::{Denial, Refused};
use crate::issuer::SIGNATURES;
use crate::replay::SeenTokens;
use crate::revocations::Revocations;

/// The services of an authorization server, as callers of the one that is described here.
///
/// Who is let in: whoever the authorization server says may call us (`calls`), as far as it says anything, and whoever [`Services::callers`]
/// names, where that is said. Of a caller for which neither is said nobody knows that it may: it gets 403.
///
/// ```no_run
/// use carnet_guard::{Caller, ResourceServer, Services};
///
/// # async fn start() -> Result<(), carnet_guard::BuildError> {
/// let guard = ResourceServer::new("https://billing.example.com")
///     .services(Services::of("https://auth.example.com", "billing").callers(["orders"]))
///     .build()
///     .await?;
/// let close = async |caller: Caller| format!("closed for {}", caller.name());
/// let app: axum::Router = axum::Router::new()
///     .route("/close", axum::routing::post(close).layer(guard.caller_in(["orders"])));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Services {
    issuer: String,
    own: String,
    callers: Option<Vec<String>>,
    once: bool,
    revocations: Option<Revocations>,
}

impl Services {
    /// The services of the authorization server `issuer`, of which this one has the name `own` (its `client_id`). Its bundle says whose keys
    /// count; a service that is not in it is unknown, and no token makes anybody look for one.
    pub fn of(issuer: impl Into<String>, own: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            own: own.into(),
            callers: None,
            once: false,
            revocations: None,
        }
    }

    /// Lets in these alone, by their `client_id`s.
    pub fn callers<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.callers = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Takes a token once for a request that may change something (RFC 9110 §9.2.1: any method but GET, HEAD, OPTIONS and TRACE), in this
    /// process: of several processes each would take it once. Callers that sign by `carnet-client` make one for each such request.
    pub fn once_for_unsafe_methods(mut self) -> Self {
        self.once = true;
        self
    }

    /// Follows what the authorization server takes back: a service that is disabled or deleted, a key that is taken out and a token that is
    /// revoked are refused within a second, and no longer after the bundle's `refresh_hint`. Not needed where the guard follows the same
    /// server for its users: [`Issuer::revocations`](crate::Issuer::revocations) serves both.
    pub fn revocations(mut self, revocations: Revocations) -> Self {
        self.revocations = Some(revocations);
        self
    }

    /// `known` are the issuers of users, with what they take back.
    pub(crate) fn open<'k>(
        &self,
        (http, clock): (&HttpClient, Arc<dyn Clock>),
        leeway: Duration,
        mut known: impl Iterator<Item = (&'k str, Option<&'k revocations::Revocations>)>,
    ) -> Result<OpenServices, ClientError> {
        let own = (self.issuer.as_str(), self.own.as_str());
        let remote = RemoteServices::new(http.clone(), own, leeway, clock.clone())?;
        let of_users = known.find_map(|(name, followed)| followed.filter(|_| name == self.issuer));
        let revocations = match &self.revocations {
            Some(feed) => {
                let keys = (revocations::Keys::Remote(remote.keys()), SIGNATURES.to_vec());
                Some(feed.open(&self.issuer, keys, (http, clock))?)
            }
            None => of_users.cloned(),
        };
        // Until the last second in which it could come back.
        let life = LONGEST_SECONDS + 2 * leeway.as_secs() + 1;
        Ok(OpenServices {
            remote: Arc::new(remote),
            issuer: self.issuer.clone(),
            follows_itself: self.revocations.is_some(),
            revocations,
            own: self.own.clone(),
            callers: self.callers.clone(),
            seen: self.once.then(|| SeenTokens::for_seconds(life)),
        })
    }
}

/// Services, once the guard runs.
pub(crate) struct OpenServices {
    pub(crate) remote: Arc<RemoteServices>,
    pub(crate) issuer: String,
    pub(crate) revocations: Option<revocations::Revocations>,
    /// Whether the feed is one of its own, and not that of the users' issuer.
    follows_itself: bool,
    own: String,
    callers: Option<Vec<String>>,
    seen: Option<SeenTokens>,
}

impl OpenServices {
    /// What the feed says of the bundle, where one is followed.
    pub(crate) fn told(&self) -> ToldOfServices {
        let followed = self.revocations.as_ref();
        followed
            .map(revocations::Revocations::of_services)
            .unwrap_or_default()
    }

    /// The feed, when nobody else counts it.
    pub(crate) fn own_revocations(&self) -> Option<&revocations::Revocations> {
        self.revocations.as_ref().filter(|_| self.follows_itself)
    }

    /// Whether a token can be told good from bad.
    pub(crate) fn is_ready(&self) -> bool {
        self.remote.is_loaded()
            && self
                .revocations
                .as_ref()
                .is_none_or(revocations::Revocations::is_available)
    }

    /// Each of the lists that are there must have it, and one must be there.
    pub(crate) fn lets_in(&self, service: &Service) -> bool {
        let here = self
            .callers
            .as_ref()
            .map(|names| names.iter().any(|name| **name == *service.name));
        let there = (!service.calls.is_empty()).then(|| service.calls.contains(&self.own));
        match (here, there) {
            (None, None) => false,
            (here, there) => here.unwrap_or(true) && there.unwrap_or(true),
        }
    }

    /// Counts a token that may be used once; what changes nothing may come again.
    pub(crate) fn spend(&self, request: &Parts, caller: Caller, now: u64) -> Result<Caller, Denial> {
        let Some(seen) = self.seen.as_ref().filter(|_| !request.method.is_safe()) else {
            return Ok(caller);
        };
        let name = primitive::sha256(format!("{}\0{}", caller.id(), caller.jti()).as_bytes());
        match seen.is_new(name, now) {
            Some(true) => Ok(caller),
            Some(false) => Err(Refused::TokenInvalid.because("token_seen_before")),
            None => Err(Refused::Unavailable.because("tokens_too_many")),
        }
    }
}
