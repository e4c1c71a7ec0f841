//! The services of an authorization server, with their keys: taken from its signed bundle and from nowhere else.
//!
//! Spec: RFC 8725 §3.8 (keys belong to an issuer), §3.10, §3.11 · RFC 9110 §13.1.2 (If-None-Match) · RFC 5861 §4 (stale-if-error)

mod read;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use carnet_jose::{Error, KeySource, TokenType, Verifier};
use carnet_oauth::service_token::{self, BUNDLE_PATH, MOST_BUNDLE_BYTES, ServiceBundle};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::attempts::Attempts;
use crate::clock::Clock;
use crate::error::ClientError;
use crate::flight::Flight;
use crate::http::{Answer, HttpClient, TIMEOUT};
use crate::jwks::{Location, RemoteKeys};
use crate::keeper::{Kept, sealed::Sealed};
use crate::login_check::signatures;
use crate::revocations::ToldOfServices;
use read::Known;
pub use read::Service;

/// Whose tokens one service may take, as the authorization server says it.
///
/// A token never makes anybody ask: an `iss` that is not in the bundle is unknown.
pub struct RemoteServices {
    http: HttpClient,
    clock: Arc<dyn Clock>,
    issuer: String,
    url: String,
    /// Who looks: the audience of the tokens.
    audience: String,
    leeway: Duration,
    keys: Arc<RemoteKeys>,
    bundles: Verifier,
    known: ArcSwapOption<Known>,
    attempts: Attempts,
    /// The last news of the bundle for which an attempt began.
    asked_for: Mutex<ToldOfServices>,
}

impl RemoteServices {
    /// The services of `issuer`, for the one of them that is called `own`. Nothing is fetched yet.
    ///
    /// # Errors
    ///
    /// [`ClientError::Invalid`] when `own` is no service's name, or the leeway is longer than ten minutes.
    pub fn new(
        http: HttpClient,
        (issuer, own): (&str, &str),
        leeway: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ClientError> {
        let location = Location::Discover(issuer.to_owned());
        let keys = RemoteKeys::with_clock(http.clone(), location, &signatures(), clock.clone());
        let http = http.reading(MOST_BUNDLE_BYTES);
        Self::with_keys((http, clock), (issuer, own), leeway, Arc::new(keys))
    }

    /// The services of the same issuer, for another of them or with another leeway. What is known of them stays known, and so do the keys
    /// that sign it.
    ///
    /// # Errors
    ///
    /// As [`RemoteServices::new`].
    pub fn after(&self, own: &str, leeway: Duration) -> Result<Self, ClientError> {
        let asking = (self.http.clone(), self.clock.clone());
        let next = Self::with_keys(asking, (&self.issuer, own), leeway, self.keys.clone())?;
        if let Some(known) = self.usable() {
            match next.read_again(&known) {
                Ok(known) => next.known.store(Some(Arc::new(known))),
                Err(error) => {
                    tracing::warn!(%error, "the bundle of services cannot be read again; it is fetched");
                }
            }
        }
        Ok(next)
    }

    fn with_keys(
        (http, clock): (HttpClient, Arc<dyn Clock>),
        (issuer, own): (&str, &str),
        leeway: Duration,
        keys: Arc<RemoteKeys>,
    ) -> Result<Self, ClientError> {
        if !service_token::is_name(own) {
            return Err(ClientError::Invalid(format!("{own:?} is no name of a service")));
        }
        let source: Arc<dyn KeySource> = keys.clone();
        let bundles = Verifier::builder(source)
            .algorithms(&signatures())
            .token_type(TokenType::Other(service_token::BUNDLE_TYPE))
            .issuer(issuer)
            .without_audience_check()
            .leeway(leeway)
            .require(&["iat"])
            .build()
            .map_err(|error| ClientError::Invalid(error.to_string()))?;
        Ok(Self {
            http,
            clock,
            issuer: issuer.to_owned(),
            url: format!("{}{BUNDLE_PATH}", issuer.trim_end_matches('/')),
            audience: service_token::id(issuer, own),
            leeway,
            keys,
            bundles,
            known: ArcSwapOption::empty(),
            attempts: Attempts::default(),
            asked_for: Mutex::default(),
        })
    }

    /// Whether there is a bundle that may be used.
    pub fn is_loaded(&self) -> bool {
        self.usable().is_some()
    }

    /// Whether it is asked for with the same trust as this client has: [`HttpClient::trusts_as`].
    pub fn trusts_as(&self, http: &HttpClient) -> bool {
        self.http.trusts_as(http)
    }

    /// Called before a token is checked. Fetches when there is no bundle, or when what was `told` calls for a newer one; starts a fetch in the
    /// background when it is nearly due.
    pub async fn prepare(self: &Arc<Self>, told: ToldOfServices) {
        let now = self.clock.since_epoch();
        let (pause, patience) = match self.usable() {
            None => (FIRST_COOLDOWN, PATIENCE),
            Some(known) if known.sequence < told.sequence || known.fetched < told.since => {
                (FIRST_COOLDOWN, PATIENCE)
            }
            Some(known) => match known.age(now) {
                Some(age) if age < known.due_after() => return,
                Some(age) if age < known.hint => (known.pause(), Duration::ZERO),
                // A service that was disabled is believed no longer than this, unless the server does not answer.
                _ => (known.pause(), PATIENCE),
            },
        };
        // One that is under way may have asked before there was anything to tell: then it is asked for once more.
        for _ in 0..2 {
            let Some(flight) = self.fly(pause, told).filter(|_| !patience.is_zero()) else {
                return;
            };
            flight.wait_at_most(patience).await;
            if self.usable().is_none_or(|known| known.sequence >= told.sequence) {
                return;
            }
        }
    }

    /// The service that names itself so in `iss`.
    ///
    /// # Errors
    ///
    /// [`Error::KeysUnavailable`] when there is no bundle, it is too old, or a newer one was `told` of.
    pub fn find(&self, iss: &str, told: ToldOfServices) -> Result<Option<Arc<Service>>, Error> {
        let known = self.usable().filter(|known| known.sequence >= told.sequence);
        let known = known.ok_or(Error::KeysUnavailable)?;
        Ok(known.services.get(iss).cloned())
    }

    fn usable(&self) -> Option<Arc<Known>> {
        let known = self.known.load_full()?;
        (self.clock.since_epoch().as_secs() < known.exp).then_some(known)
    }

    /// Which keys of the authorization server sign bundles, for whoever follows what it takes back.
    pub fn keys(&self) -> Arc<RemoteKeys> {
        self.keys.clone()
    }

    /// The attempt under way, or a new one when the last began at least `pause` ago, or before something new was told.
    fn fly(self: &Arc<Self>, pause: Duration, told: ToldOfServices) -> Option<Flight<()>> {
        let now = self.clock.since_epoch();
        let mut asked_for = self.asked_for.lock().unwrap_or_else(PoisonError::into_inner);
        // Of several who ask here each may have heard of another one: who heard last of all says what is new, so that two never take turns at that.
        let is_news = (told.since, told.sequence) > (asked_for.since, asked_for.sequence);
        let pause = if is_news { Duration::ZERO } else { pause };
        let mut begun = false;
        let services = self.clone();
        let flight = self.attempts.join((now, pause), || {
            begun = true;
            async move { services.attempt(now).await }
        });
        if begun && is_news {
            *asked_for = told;
        }
        flight
    }

    /// Whether there is a bundle that the server has confirmed by now.
    async fn attempt(&self, now: Duration) -> bool {
        let fetched = tokio::time::timeout(TIMEOUT, self.fetch(now)).await;
        let late = || ClientError::Unreachable(format!("{}: more than five seconds", self.url));
        let fetched = fetched.unwrap_or_else(|_| Err(late()));
        let came = fetched.is_ok();
        match fetched {
            Ok(next) => self.known.store(Some(Arc::new(next))),
            Err(error) if self.is_loaded() => {
                tracing::warn!(%error, "the bundle of services could not be fetched again; the known one is used");
            }
            Err(error) => tracing::warn!(%error, "the bundle of services could not be fetched"),
        }
        came
    }

    async fn fetch(&self, now: Duration) -> Result<Known, ClientError> {
        // One that is too old for use is no measure for the next: a server that came back from a backup counts from there.
        let current = self.usable();
        let mut headers = HeaderMap::new();
        if let Some(etag) = current.as_ref().and_then(|known| known.etag.clone()) {
            headers.insert(header::IF_NONE_MATCH, etag);
        }
        let answer = self.http.get(&self.url, headers).await?;
        if let Some(current) = current
            .as_ref()
            .filter(|current| current.is_confirmed_by(&answer))
        {
            return Ok(current.again(now));
        }
        let etag = answer.headers.get(header::ETAG).cloned();
        let body = answer.ok(&self.url)?;
        let parts = self.parts(&body).await?;
        let next = self.put_together(parts, (etag, body, now))?;
        match current {
            // Another node, which signed the same a moment earlier.
            Some(current) if next.is_the_same_as(&current) && next.iat <= current.iat => {
                Ok(current.again(now))
            }
            Some(current) if next.is_older_than(&current) => Err(ClientError::Invalid(format!(
                "{}: the bundle {} is older than {}, which is known",
                self.url, next.sequence, current.sequence
            ))),
            _ => Ok(next),
        }
    }

    /// The tokens of the body, checked with the keys of the authorization server.
    async fn parts(&self, body: &[u8]) -> Result<Vec<ServiceBundle>, ClientError> {
        self.keys.prepare().await;
        let mut parts = Vec::new();
        for token in self.lines(body)? {
            let part = match self.part(token) {
                // Perhaps the server has just begun to sign with it.
                Err(Error::UnknownKeyId) => {
                    self.keys.refresh_for_issuer(token).await;
                    self.part(token)
                }
                other => other,
            };
            parts.push(part.map_err(|error| self.invalid(&error))?);
        }
        Ok(parts)
    }

    /// What another one knows, as this one would know it. Nobody is asked.
    fn read_again(&self, known: &Known) -> Result<Known, ClientError> {
        let parts = self.lines(&known.body)?.map(|token| self.part(token));
        let parts = parts.collect::<Result<_, _>>();
        let parts = parts.map_err(|error| self.invalid(&error))?;
        self.put_together(parts, (known.etag.clone(), known.body.clone(), known.fetched))
    }

    fn lines<'b>(&self, body: &'b [u8]) -> Result<std::str::Lines<'b>, ClientError> {
        let text = std::str::from_utf8(body).map_err(|error| self.invalid(&error))?;
        Ok(text.lines())
    }

    fn part(&self, token: &str) -> Result<ServiceBundle, Error> {
        let now = self.clock.since_epoch().as_secs();
        let verified = self.bundles.verify_owned::<ServiceBundle>(token, now)?;
        match verified.issued_in_future {
            true => Err(Error::IssuedInFuture),
            false => Ok(verified.claims),
        }
    }

    fn put_together(
        &self,
        parts: Vec<ServiceBundle>,
        answer: (Option<HeaderValue>, Bytes, Duration),
    ) -> Result<Known, ClientError> {
        let known = read::known(parts, (&self.audience, self.leeway), answer);
        known.map_err(|what| self.invalid(&what))
    }

    fn invalid(&self, what: &dyn std::fmt::Display) -> ClientError {
        ClientError::Invalid(format!("{}: {what}", self.url))
    }
}

impl Known {
    /// `None` when the clock was set back: nobody knows then.
    fn age(&self, now: Duration) -> Option<Duration> {
        now.checked_sub(self.fetched)
    }

    /// The age at which it is asked for once more: before anybody has to wait for that.
    fn due_after(&self) -> Duration {
        self.hint * 4 / 5
    }

    /// Between two attempts to replace it.
    fn pause(&self) -> Duration {
        COOLDOWN.min(self.hint / 5)
    }

    fn is_confirmed_by(&self, answer: &Answer) -> bool {
        answer.status == StatusCode::NOT_MODIFIED && self.etag.is_some()
            || answer.status == StatusCode::OK && answer.body == self.body
    }

    /// Whether it tells of the same state as `other`, and the same of it.
    fn is_the_same_as(&self, other: &Self) -> bool {
        (self.sequence, self.said) == (other.sequence, other.said)
    }

    /// Whether it tells of a state before that of `other`.
    fn is_older_than(&self, other: &Self) -> bool {
        (self.sequence, self.iat) < (other.sequence, other.iat)
    }
}

impl Sealed for RemoteServices {}

impl Kept for RemoteServices {
    fn due_in(&self) -> Option<Duration> {
        let now = self.clock.since_epoch();
        let known = self.usable()?;
        let age = known.age(now);
        Some(age.map_or(Duration::ZERO, |age| known.due_after().saturating_sub(age)))
    }

    async fn renew(self: &Arc<Self>) {
        let told = *self.asked_for.lock().unwrap_or_else(PoisonError::into_inner);
        self.prepare(told).await;
    }
}

impl std::fmt::Debug for RemoteServices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteServices")
            .field("url", &self.url)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

/// Between two attempts, whatever asked for them.
const COOLDOWN: Duration = Duration::from_secs(30);
/// Between two attempts while there is no bundle at all: the server may just be starting.
const FIRST_COOLDOWN: Duration = Duration::from_secs(1);
/// How long a request waits for a bundle that is due.
const PATIENCE: Duration = Duration::from_secs(2);
