//! Services that call this one in their own name: who may, which tokens were spent, and which requests they are for.
//!
//! Spec: RFC 7519 §4.1.7 (jti) · RFC 9110 §9.2.1 (safe methods) · RFC 9449 §4.3, 8 and 9 (htm, htu)

use std::sync::Arc;
use std::time::Duration;

use carnet_client::bundle::{RemoteServices, Service};
use carnet_client::clock::Clock;
use carnet_client::error::ClientError;
use carnet_client::http::HttpClient;
use carnet_client::revocations::{self, ToldOfServices};
use carnet_jose::primitive;
use carnet_oauth::dpop::Request;
use carnet_oauth::service_token::{LONGEST_SECONDS, ServiceTokenClaims};
use http::request::Parts;

use crate::caller::Caller;
use crate::challenge::{Denial, Refused};
use crate::issuer::SIGNATURES;
use crate::public_url;
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
    bound: bool,
    internal_url: Option<String>,
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
            bound: false,
            internal_url: None,
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

    /// Takes only tokens that name the method and the URL of their request (`htm` and `htu`, as in a DPoP proof): nobody can make another
    /// request with one. Callers sign them by `ServiceSigner::attach_bound`. A token that names a request goes with no other one in any case.
    ///
    /// The same request could come again: [`Services::once_for_unsafe_methods`] stands beside it.
    pub fn bound_to_request(mut self) -> Self {
        self.bound = true;
        self
    }

    /// Where services find this API, when that is not the `public_url` of its users: what their tokens name as the URL of a request,
    /// followed by the path as this program sees it.
    pub fn internal_url(mut self, url: impl Into<String>) -> Self {
        self.internal_url = Some(url.into());
        self
    }

    /// Follows what the authorization server takes back: a service that is disabled or deleted, a key that is taken out and a token that is
    /// revoked are refused within a second, and no longer after the bundle's `refresh_hint`. Not needed where the guard follows the same
    /// server for its users: [`Issuer::revocations`](crate::Issuer::revocations) serves both.
    pub fn revocations(mut self, revocations: Revocations) -> Self {
        self.revocations = Some(revocations);
        self
    }

    /// Where services find this API, when it is said, or known of its users.
    ///
    /// # Errors
    ///
    /// What is wrong with it; or that nobody knows, and tokens have to name it.
    pub(crate) fn base(&self, public_url: Option<&str>) -> Result<Option<String>, String> {
        let own = self.internal_url.as_deref();
        let own = own.map(|url| public_url::base("internal_url", url)).transpose()?;
        match own.or_else(|| public_url.map(str::to_owned)) {
            None if self.bound => Err(
                "tokens of services have to name the URL of their request, and nothing says which that is: name it by internal_url or public_url"
                    .to_owned(),
            ),
            base => Ok(base),
        }
    }

    /// `known` are the issuers of users, with what they take back; `before` is what stood in its place: tokens that were spent there stay so, and the
    /// bundle of the same services is known already.
    pub(crate) fn open<'k>(
        &self,
        (http, clock): (&HttpClient, Arc<dyn Clock>),
        (leeway, base): (Duration, Option<String>),
        mut known: impl Iterator<Item = (&'k str, Option<&'k revocations::Revocations>)>,
        before: Option<&OpenServices>,
    ) -> Result<OpenServices, ClientError> {
        let remote = self.remote((http, clock.clone()), leeway, before)?;
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
        let seen = match before {
            Some(before) => before.seen.clone(),
            None => Arc::new(SeenTokens::for_seconds(life)),
        };
        seen.outlive(life);
        Ok(OpenServices {
            remote,
            leeway,
            issuer: self.issuer.clone(),
            follows_itself: self.revocations.is_some(),
            revocations,
            own: self.own.clone(),
            callers: self.callers.clone(),
            seen,
            once: self.once,
            bound: self.bound,
            base,
        })
    }

    /// Their bundle: as it is known already, where that was of the same issuer, and the same are trusted to be it.
    fn remote(
        &self,
        (http, clock): (&HttpClient, Arc<dyn Clock>),
        leeway: Duration,
        before: Option<&OpenServices>,
    ) -> Result<Arc<RemoteServices>, ClientError> {
        let is_same = |before: &&OpenServices| before.issuer == self.issuer && before.remote.trusts_as(http);
        let Some(before) = before.filter(is_same) else {
            let own = (self.issuer.as_str(), self.own.as_str());
            return RemoteServices::new(http.clone(), own, leeway, clock).map(Arc::new);
        };
        match before.own == self.own && before.leeway == leeway {
            true => Ok(before.remote.clone()),
            false => before.remote.after(&self.own, leeway).map(Arc::new),
        }
    }
}

/// Services, once the guard runs.
pub(crate) struct OpenServices {
    pub(crate) remote: Arc<RemoteServices>,
    leeway: Duration,
    pub(crate) issuer: String,
    pub(crate) revocations: Option<revocations::Revocations>,
    /// Whether the feed is one of its own, and not that of the users' issuer.
    follows_itself: bool,
    own: String,
    callers: Option<Vec<String>>,
    /// Kept while nothing counts once, too: what was spent before stays spent after.
    seen: Arc<SeenTokens>,
    once: bool,
    bound: bool,
    /// What stands in front of every path.
    base: Option<String>,
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

    /// A token that names a request comes with that one, and each has to name one where it was said so.
    pub(crate) fn goes_with(&self, request: &Parts, claims: &ServiceTokenClaims) -> Result<(), Denial> {
        let deny = |reason| Err(Refused::TokenInvalid.because(reason));
        match claims.names_a_request() {
            false if self.bound => return deny("request_not_named"),
            false => return Ok(()),
            true => {}
        }
        let Some(base) = &self.base else {
            tracing::error!(
                "a service's token that names its request came, but the guard does not know the URL by which services find this API: name it by internal_url or public_url"
            );
            return deny("public_url_missing");
        };
        let asked = Request {
            method: request.method.as_str(),
            uri: &public_url::url_below(base, request),
            access_token: None,
        };
        claims.goes_with(&asked).or_else(|error| deny(error.code()))
    }

    /// Counts a token that may be used once; what changes nothing may come again.
    pub(crate) fn spend(&self, request: &Parts, caller: Caller, now: u64) -> Result<Caller, Denial> {
        if !self.once || request.method.is_safe() {
            return Ok(caller);
        }
        let name = primitive::sha256(format!("{}\0{}", caller.id(), caller.jti()).as_bytes());
        match self.seen.is_new(name, now) {
            Some(true) => Ok(caller),
            Some(false) => Err(Refused::TokenInvalid.because("token_seen_before")),
            None => Err(Refused::Unavailable.because("tokens_too_many")),
        }
    }
}
