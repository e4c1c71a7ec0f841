//! The keys of an issuer, fetched when they are due and never while somebody waits who need not.
//!
//! Spec: RFC 7517 §5 · RFC 9111 §5.2.2 (max-age)

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use carnet_jose::{Algorithm, Error, KeySet, KeySource};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::clock::{Clock, SystemClock};
use crate::discovery::discover;
use crate::error::ClientError;
use crate::http::{Answer, HttpClient};

/// How long a set is fresh when its answer does not say.
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(600);
const LONGEST_MAX_AGE: Duration = Duration::from_secs(86_400);
/// How long a set is used when it cannot be fetched again.
const STALE_IF_ERROR: Duration = Duration::from_secs(86_400);
/// How long a request waits for fresh keys while there are known ones.
const PATIENCE: Duration = Duration::from_millis(300);
/// Between two attempts, whatever asked for them.
const COOLDOWN: Duration = Duration::from_secs(30);
/// Between two attempts while there are no keys at all: the issuer may just be starting.
const FIRST_COOLDOWN: Duration = Duration::from_secs(1);

/// Where the keys are.
#[derive(Clone, Debug)]
pub enum Location {
    /// In the metadata of this issuer.
    Discover(String),
    /// At this URL.
    Jwks(String),
}

/// The keys of one issuer, cached.
pub struct RemoteKeys {
    http: HttpClient,
    clock: Box<dyn Clock>,
    location: Location,
    algorithms: Vec<Algorithm>,
    cached: ArcSwapOption<Cached>,
    /// Held while keys are fetched: everybody else who needs them waits for that one answer.
    flight: Mutex<Flight>,
    /// When the last attempt began, in milliseconds; 0 before the first.
    attempted: AtomicU64,
    refreshing: AtomicBool,
}

struct Cached {
    set: Arc<KeySet>,
    body: bytes::Bytes,
    etag: Option<HeaderValue>,
    fetched: Duration,
    max_age: Duration,
}

#[derive(Default)]
struct Flight {
    jwks_uri: Option<String>,
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
            flight: Mutex::default(),
            attempted: AtomicU64::new(0),
            refreshing: AtomicBool::new(false),
        }
    }

    /// Whether there are keys to check with.
    pub fn is_loaded(&self) -> bool {
        self.keys().is_ok()
    }

    /// Called before a token is checked. Fetches when there are no keys; starts a fetch in the background when they are nearly too old.
    pub async fn prepare(self: &Arc<Self>) {
        let now = self.clock.since_epoch();
        match self.cached.load_full() {
            None => {
                let _ = self.fetch(None).await;
            }
            // Too old: whoever finds it waits for the answer, but not for an issuer that does not answer. The known keys are used then.
            Some(cached) if now >= cached.fetched + cached.max_age => {
                if let Some(refresh) = self.refresh_in_background() {
                    let _ = tokio::time::timeout(PATIENCE, refresh).await;
                }
            }
            // Ahead of time, so that nobody waits: at four fifths of its life.
            Some(cached) if now >= cached.fetched + cached.max_age * 4 / 5 => {
                self.refresh_in_background();
            }
            Some(_) => {}
        }
    }

    /// A token names a key that is not in the set: looks whether the issuer has it by now. At most one attempt every 30 seconds.
    pub async fn look_again(&self) {
        let seen = self.cached.load_full().map(|cached| cached.set.epoch());
        if let Err(error) = self.fetch(seen).await {
            tracing::warn!(%error, "the keys of the issuer could not be fetched again");
        }
    }

    /// `None` when a refresh is under way already.
    fn refresh_in_background(self: &Arc<Self>) -> Option<JoinHandle<()>> {
        if self.refreshing.swap(true, Ordering::AcqRel) {
            return None;
        }
        let keys = self.clone();
        Some(tokio::spawn(async move {
            let seen = keys.cached.load_full().map(|cached| cached.set.epoch());
            if let Err(error) = keys.fetch(seen).await {
                tracing::warn!(%error, "the keys of the issuer could not be fetched again; the known ones are used");
            }
            keys.refreshing.store(false, Ordering::Release);
        }))
    }

    /// One flight at a time; whoever waited behind it takes what it brought. `seen` is the epoch that was not enough.
    async fn fetch(&self, seen: Option<u64>) -> Result<(), ClientError> {
        let mut flight = self.flight.lock().await;
        let now = self.clock.since_epoch();
        let current = self.cached.load_full();
        if current.as_ref().map(|cached| cached.set.epoch()) != seen {
            return Ok(());
        }
        // Attempts are counted, not successes: a sick issuer is not hammered, and random key ids cost nothing.
        let attempted = Duration::from_millis(self.attempted.load(Ordering::Acquire));
        let due = current
            .as_ref()
            .filter(|cached| now >= cached.fetched + cached.max_age * 4 / 5);
        let pause = match (&current, due) {
            (None, _) => FIRST_COOLDOWN,
            (Some(_), Some(cached)) => COOLDOWN.min(cached.max_age / 5),
            (Some(_), None) => COOLDOWN,
        };
        if attempted > Duration::ZERO && now < attempted + pause {
            return Ok(());
        }
        self.attempted.store(
            u64::try_from(now.as_millis()).unwrap_or(u64::MAX).max(1),
            Ordering::Release,
        );
        let fetched = self.load(&mut flight, current.as_deref(), now).await;
        if fetched.is_err() {
            // The address may have moved.
            flight.jwks_uri = None;
        }
        fetched
    }

    async fn load(
        &self,
        flight: &mut Flight,
        current: Option<&Cached>,
        now: Duration,
    ) -> Result<(), ClientError> {
        let url = match (&self.location, &flight.jwks_uri) {
            (Location::Jwks(url), _) => url.clone(),
            (Location::Discover(_), Some(url)) => url.clone(),
            (Location::Discover(issuer), None) => {
                let metadata = discover(&self.http, issuer).await?;
                metadata.jwks_uri.ok_or_else(|| {
                    ClientError::Invalid(format!("the metadata of {issuer} names no jwks_uri"))
                })?
            }
        };
        let mut headers = HeaderMap::new();
        if let Some(etag) = current.and_then(|cached| cached.etag.clone()) {
            headers.insert(header::IF_NONE_MATCH, etag);
        }
        let answer = self.http.get(&url, headers).await?;
        let max_age = max_age(&answer);
        let next = match current {
            Some(cached)
                if answer.status == StatusCode::NOT_MODIFIED
                    || answer.status == StatusCode::OK && answer.body == cached.body =>
            {
                Cached {
                    // The same set keeps its epoch: what was cached under it still holds.
                    set: cached.set.clone(),
                    body: cached.body.clone(),
                    etag: cached.etag.clone(),
                    fetched: now,
                    max_age,
                }
            }
            _ => self.parse(&url, answer, max_age, now)?,
        };
        self.cached.store(Some(Arc::new(next)));
        flight.jwks_uri = Some(url);
        Ok(())
    }

    fn parse(
        &self,
        url: &str,
        answer: Answer,
        max_age: Duration,
        now: Duration,
    ) -> Result<Cached, ClientError> {
        let etag = answer.headers.get(header::ETAG).cloned();
        let body = answer.ok(url)?;
        let parsed = KeySet::from_jwks_json(&body, &self.algorithms)
            .map_err(|error| ClientError::Invalid(format!("{url}: {error}")))?;
        for skipped in &parsed.skipped {
            tracing::debug!(kid = ?skipped.kid, reason = skipped.reason.code(), "a key of the issuer is not used");
        }
        Ok(Cached {
            set: Arc::new(parsed.set),
            body,
            etag,
            fetched: now,
            max_age,
        })
    }
}

impl KeySource for RemoteKeys {
    fn keys(&self) -> Result<Arc<KeySet>, Error> {
        let cached = self.cached.load_full().ok_or(Error::KeysUnavailable)?;
        let too_old = self.clock.since_epoch() > cached.fetched + cached.max_age + STALE_IF_ERROR;
        if too_old {
            Err(Error::KeysUnavailable)
        } else {
            Ok(cached.set.clone())
        }
    }
}

/// How long the answer may be cached: `max-age`, or ten minutes; at least a second, at most a day.
fn max_age(answer: &Answer) -> Duration {
    let control = answer
        .headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let directives = control.flat_map(|line| line.split(',')).map(str::trim);
    let seconds = directives
        .filter_map(|directive| directive.strip_prefix("max-age=")?.parse::<u64>().ok())
        .next();
    seconds
        .map_or(DEFAULT_MAX_AGE, Duration::from_secs)
        .clamp(Duration::from_secs(1), LONGEST_MAX_AGE)
}

impl std::fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteKeys")
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}
