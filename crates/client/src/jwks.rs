//! The keys of an issuer, fetched when they are due and never while somebody waits who need not.
//!
//! Spec: RFC 7517 §5 · RFC 9111 §4.3 (validation) · SPIFFE Trust Domain and Bundle §4.1

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use carnet_jose::{Algorithm, Error, KeySet, KeySource};
use http::{HeaderMap, header};

use crate::attempts::Attempts;
use crate::clock::{Clock, SystemClock};
use crate::discovery::jwks_uri;
use crate::error::ClientError;
use crate::flight::Flight;
use crate::freshness::lifetime;
use crate::http::{Answer, HttpClient, TIMEOUT};
use crate::keeper::{Kept, sealed::Sealed};
use crate::key_cache::{COOLDOWN, Cached, State};
use crate::snapshot::Snapshot;
use crate::spiffe_bundle;

/// Where the keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// In the metadata of this issuer.
    Discover(String),
    /// At this URL.
    Jwks(String),
    /// In the bundle of a SPIFFE trust domain at this URL.
    Bundle(String),
    /// In the bundle of a SPIFFE trust domain that somebody keeps up to date in this file.
    BundleFile(PathBuf),
}

/// The keys of one issuer, cached.
///
/// ```no_run
/// use std::sync::Arc;
/// use carnet_client::http::HttpClient;
/// use carnet_client::jwks::{Location, RemoteKeys};
/// use carnet_jose::{Algorithm, KeySource as _};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let location = Location::Discover("https://auth.example.com".to_owned());
/// let keys = Arc::new(RemoteKeys::new(HttpClient::new()?, location, &[Algorithm::Es256]));
/// keys.prepare().await; // before each token
/// let set = keys.keys()?;
/// # Ok(())
/// # }
/// ```
pub struct RemoteKeys {
    http: HttpClient,
    clock: Box<dyn Clock>,
    location: Location,
    algorithms: Vec<Algorithm>,
    cached: ArcSwapOption<Cached>,
    snapshot: Option<Snapshot>,
    /// Made only when keys are missing, due, or not the ones that a token names.
    attempts: Attempts,
}

/// The keys of an issuer, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeysHealth {
    /// Whether there are keys to check with.
    pub loaded: bool,
    /// How many there are.
    pub keys: usize,
    /// How long ago they were last fetched or confirmed; `None` when never.
    pub age: Option<Duration>,
    /// How often they were asked for.
    pub fetches: u64,
    /// How often that failed.
    pub failures: u64,
}

impl RemoteKeys {
    /// Keys that will be fetched from there; nothing is fetched yet.
    pub fn new(http: HttpClient, location: Location, algorithms: &[Algorithm]) -> Self {
        Self::with_clock(http, location, algorithms, SystemClock)
    }

    /// With a clock that tests hold still.
    pub fn with_clock(
        http: HttpClient,
        location: Location,
        algorithms: &[Algorithm],
        clock: impl Clock + 'static,
    ) -> Self {
        Self {
            http,
            clock: Box::new(clock),
            location,
            algorithms: algorithms.to_vec(),
            cached: ArcSwapOption::empty(),
            snapshot: None,
            attempts: Attempts::default(),
        }
    }

    /// Keeps the keys in this file as well, and begins with what it holds: keys that were last fetched within a day. They are asked for again at
    /// once all the same. A file that others may write, or that belongs to another issuer, is not read. Not for SPIFFE bundles.
    pub fn with_snapshot(mut self, file: &Path) -> Self {
        let snapshot = Snapshot::new(file, self.place());
        if let Some(cached) = snapshot.load(&self.algorithms, self.clock.since_epoch()) {
            self.cached.store(Some(Arc::new(cached)));
        }
        self.snapshot = Some(snapshot);
        self
    }

    /// The keys in numbers.
    pub fn health(&self) -> KeysHealth {
        let now = self.clock.since_epoch();
        let cached = self.cached.load();
        let attempts = self.attempts.made();
        KeysHealth {
            loaded: self.is_loaded(),
            keys: cached.as_ref().map_or(0, |cached| cached.set.len()),
            age: cached.as_ref().map(|cached| now.saturating_sub(cached.fetched)),
            fetches: attempts.begun,
            failures: attempts.failures,
        }
    }

    /// Whether they are asked for with the same trust as this client has: [`HttpClient::trusts_as`].
    pub fn trusts_as(&self, http: &HttpClient) -> bool {
        self.http.trusts_as(http)
    }

    /// Whether there are keys to check with.
    pub fn is_loaded(&self) -> bool {
        self.keys().is_ok()
    }

    /// Whether the issuer did not give them when it was asked last: then a key that is not among them may be one of its own all the same.
    pub fn are_withheld(&self) -> bool {
        self.attempts.made().failed
    }

    /// Called before a token is checked. Fetches when there are no keys; starts a fetch in the background when they are nearly too old.
    pub async fn prepare(self: &Arc<Self>) {
        let now = self.clock.since_epoch();
        let (pause, patience) = match self
            .cached
            .load()
            .as_deref()
            .filter(|cached| !cached.set.is_empty())
        {
            None => (FIRST_COOLDOWN, FIRST_PATIENCE),
            Some(cached) => match cached.state(now) {
                State::Fresh => return,
                // Ahead of time, so that nobody waits.
                State::Due => (cached.pause(), Duration::ZERO),
                // Whoever finds it waits for the answer, but not for an issuer that does not answer. The known keys are used then.
                State::Old => (cached.pause(), PATIENCE),
            },
        };
        if let Some(flight) = self.fly(pause)
            && !patience.is_zero()
        {
            // Few wait; whoever does not should not carry the place for it.
            Box::pin(flight.wait_at_most(patience)).await;
        }
    }

    /// A token names a key that is not in the set: looks whether the issuer has it by now.
    ///
    /// One attempt every 30 seconds, whatever the tokens say; everybody who needs it waits for the same one, two seconds at most.
    pub async fn refresh_for(self: &Arc<Self>, kid: &str) {
        self.refresh(kid, COOLDOWN).await;
    }

    /// The same, for a token that did not come from a caller: the issuer itself has sent it. One attempt a second, so that nobody who sends
    /// tokens with invented keys can stand before it.
    pub async fn refresh_for_issuer(self: &Arc<Self>, token: &str) {
        if let Some(kid) = key_of(token) {
            self.refresh(&kid, FIRST_COOLDOWN).await;
        }
    }

    async fn refresh(self: &Arc<Self>, kid: &str, pause: Duration) {
        // Somebody else's attempt may have brought it since.
        let known = |cached: &Arc<Cached>| cached.set.kids().any(|known| known == kid);
        if self.cached.load().as_ref().is_some_and(known) {
            return;
        }
        if let Some(flight) = self.fly(pause) {
            flight.wait_at_most(FIRST_PATIENCE).await;
        }
    }

    /// [`RemoteKeys::refresh_for`] the key that this token names.
    pub async fn look_for_key_of(self: &Arc<Self>, token: &str) {
        if let Some(kid) = key_of(token) {
            self.refresh_for(&kid).await;
        }
    }

    /// The attempt under way, or a new one when the last began at least `pause` ago.
    fn fly(self: &Arc<Self>, pause: Duration) -> Option<Flight<()>> {
        let now = self.clock.since_epoch();
        let keys = self.clone();
        self.attempts
            .join((now, pause), || async move { keys.attempt(now).await })
    }

    /// Whether there are keys that the issuer has confirmed by now.
    async fn attempt(&self, now: Duration) -> bool {
        let current = self.cached.load_full();
        // The address may have moved when the last attempt failed.
        let moved = self.attempts.made().failed;
        let fetched = tokio::time::timeout(TIMEOUT, self.fetch(current.as_deref(), moved, now));
        let fetched = fetched.await.unwrap_or_else(|_| {
            Err(ClientError::Unreachable(
                "the keys did not come within five seconds".to_owned(),
            ))
        });
        let came = fetched.is_ok();
        match fetched {
            Ok(next) => {
                let next = Arc::new(next);
                self.cached.store(Some(next.clone()));
                if let Some(snapshot) = &self.snapshot {
                    snapshot.save(next);
                }
            }
            Err(error) if current.is_some() => {
                tracing::warn!(%error, "the keys of the issuer could not be fetched again; the known ones are used");
            }
            Err(error) => tracing::warn!(%error, "the keys of the issuer could not be fetched"),
        }
        came
    }

    /// Whose keys these are.
    fn place(&self) -> &str {
        match &self.location {
            Location::Discover(issuer) => issuer,
            Location::Jwks(url) | Location::Bundle(url) => url,
            Location::BundleFile(file) => file.to_str().unwrap_or_default(),
        }
    }

    async fn fetch(
        &self,
        current: Option<&Cached>,
        moved: bool,
        now: Duration,
    ) -> Result<Cached, ClientError> {
        let url = match (&self.location, current) {
            (Location::Jwks(url) | Location::Bundle(url), _) => url.clone(),
            (Location::BundleFile(file), _) => file.display().to_string(),
            (Location::Discover(_), Some(cached)) if !moved => cached.url.clone(),
            (Location::Discover(issuer), _) => jwks_uri(&self.http, issuer).await?,
        };
        let known = current.filter(|cached| cached.url == url);
        let mut headers = HeaderMap::new();
        if let Some(etag) = known.and_then(|cached| cached.etag.clone()) {
            headers.insert(header::IF_NONE_MATCH, etag);
        }
        let answer = match &self.location {
            Location::BundleFile(file) => spiffe_bundle::file(file).await?,
            Location::Bundle(_) => spiffe_bundle::uncached(self.http.get(&url, headers).await?),
            _ => self.http.get(&url, headers).await?,
        };
        match known {
            Some(cached) if cached.is_confirmed_by(&answer) => Ok(cached.again(&answer, now)),
            _ => self.parse(url, answer, now),
        }
    }

    fn parse(&self, url: String, answer: Answer, now: Duration) -> Result<Cached, ClientError> {
        let max_age = lifetime(&answer.headers).unwrap_or(DEFAULT_MAX_AGE);
        let etag = answer.headers.get(header::ETAG).cloned();
        let body = answer.ok(&url)?;
        let invalid = |error| ClientError::Invalid(format!("{url}: {error}"));
        if matches!(self.location, Location::Bundle(_) | Location::BundleFile(_)) {
            let (set, max_age) = spiffe_bundle::read(&body, &self.algorithms).map_err(invalid)?;
            return Ok(Cached {
                set: Arc::new(set),
                url,
                body,
                etag,
                fetched: now,
                max_age,
            });
        }
        let parsed = KeySet::from_jwks_json(&body, &self.algorithms).map_err(invalid)?;
        for skipped in &parsed.skipped {
            tracing::debug!(kid = ?skipped.kid, reason = skipped.reason.code(), "a key of the issuer is not used");
        }
        Ok(Cached {
            set: Arc::new(parsed.set),
            url,
            body,
            etag,
            fetched: now,
            max_age,
        })
    }

    /// What is known, unless it is too old for anything.
    fn usable<T>(&self, read: impl FnOnce(&Cached) -> T) -> Result<T, Error> {
        let cached = self.cached.load();
        let cached = cached.as_ref().ok_or(Error::KeysUnavailable)?;
        // A set without keys is an issuer in trouble, not a word on any token.
        if cached.set.is_empty() || cached.is_over(self.clock.since_epoch()) {
            return Err(Error::KeysUnavailable);
        }
        Ok(read(cached))
    }
}

/// The `kid` of a token that nobody has checked.
fn key_of(token: &str) -> Option<String> {
    let decoded = carnet_jose::dangerous::decode(token).ok()?;
    let kid = decoded.header.get("kid")?.as_str()?;
    Some(kid.to_owned())
}

impl Sealed for RemoteKeys {}

impl Kept for RemoteKeys {
    fn due_in(&self) -> Option<Duration> {
        let now = self.clock.since_epoch();
        let cached = self.cached.load();
        let cached = cached.as_ref().filter(|cached| !cached.set.is_empty());
        cached.map(|cached| cached.due().saturating_sub(now))
    }

    async fn renew(self: &Arc<Self>) {
        self.prepare().await;
    }
}

impl KeySource for RemoteKeys {
    fn keys(&self) -> Result<Arc<KeySet>, Error> {
        self.usable(|cached| cached.set.clone())
    }

    fn current_epoch(&self) -> Result<u64, Error> {
        self.usable(|cached| cached.set.epoch())
    }
}

impl std::fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteKeys")
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

/// How long a set is fresh when its answer does not say.
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(600);
/// Between two attempts while there are no keys at all: the issuer may just be starting. And for what the issuer itself has signed.
const FIRST_COOLDOWN: Duration = Duration::from_secs(1);
/// How long a request waits for fresh keys while there are known ones.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long a request waits for keys without which it is refused.
const FIRST_PATIENCE: Duration = Duration::from_secs(2);
