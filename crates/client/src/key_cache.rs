//! Fetched keys: how fresh they are, and what confirms them.
//!
//! Spec: RFC 9111 §4.3 (validation) · RFC 5861 §4 (stale-if-error)

use std::sync::Arc;
use std::time::Duration;

use carnet_jose::KeySet;
use http::{HeaderValue, StatusCode, header};

use crate::freshness::lifetime;
use crate::http::Answer;

/// The keys of an issuer as they were fetched.
pub(crate) struct Cached {
    pub(crate) set: Arc<KeySet>,
    pub(crate) url: String,
    pub(crate) body: bytes::Bytes,
    pub(crate) etag: Option<HeaderValue>,
    pub(crate) fetched: Duration,
    pub(crate) max_age: Duration,
}

/// How old a set is.
pub(crate) enum State {
    Fresh,
    /// Four fifths of its life are over.
    Due,
    Old,
}

impl Cached {
    pub(crate) fn state(&self, now: Duration) -> State {
        // A set from the future was fetched before the clock was set back: nobody knows how old it is.
        if now < self.fetched || now >= self.fetched + self.max_age {
            State::Old
        } else if now >= self.due() {
            State::Due
        } else {
            State::Fresh
        }
    }

    /// Between two attempts to replace it.
    pub(crate) fn pause(&self) -> Duration {
        match self.max_age / 5 {
            Duration::ZERO => FILE_PAUSE,
            // However short the issuer wants it: it signs with what it has published for so long.
            pause => pause.min(COOLDOWN),
        }
    }

    pub(crate) fn is_confirmed_by(&self, answer: &Answer) -> bool {
        answer.status == StatusCode::NOT_MODIFIED && self.etag.is_some()
            || answer.status == StatusCode::OK && answer.body == self.body
    }

    /// When it should be replaced: ahead of its time, so that nobody waits.
    pub(crate) fn due(&self) -> Duration {
        self.fetched + self.max_age * 4 / 5
    }

    /// Whether it is too old for anything.
    pub(crate) fn is_over(&self, now: Duration) -> bool {
        now > self.fetched + self.max_age + STALE_IF_ERROR
    }

    /// The same set keeps its epoch: what was cached under it still holds. RFC 9111 §4.3.4: what the answer does not say stays as it was.
    pub(crate) fn again(&self, answer: &Answer, now: Duration) -> Self {
        let etag = answer.headers.get(header::ETAG).cloned();
        Self {
            set: self.set.clone(),
            url: self.url.clone(),
            body: self.body.clone(),
            etag: etag.or_else(|| self.etag.clone()),
            fetched: now,
            max_age: lifetime(&answer.headers).unwrap_or(self.max_age),
        }
    }
}

/// How long a set is used when it cannot be fetched again.
const STALE_IF_ERROR: Duration = Duration::from_secs(86_400);
/// Between two attempts, whatever asked for them.
pub(crate) const COOLDOWN: Duration = Duration::from_secs(30);
/// For a set that is old from the beginning: one from a file.
const FILE_PAUSE: Duration = Duration::from_secs(5);
