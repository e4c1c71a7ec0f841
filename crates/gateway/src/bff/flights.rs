//! What one replica has under way: the refreshes of its sessions, and how long the issuer is left alone.
//!
//! Spec: RFC 9700 §4.14.2 (rotation)

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use carnet_client::flight::Flight;
use carnet_jose::{base64url, primitive};

/// The refreshes of this replica.
pub(super) struct Flights {
    /// This replica, as the leases name it.
    pub(super) owner: String,
    /// By the digest of the cookie.
    pub(super) under_way: Mutex<HashMap<[u8; 32], Flight<Outcome>>>,
    /// Logins that came to no good end here, and when, in seconds since 1970: nobody waits for them.
    failed: Mutex<HashMap<String, u64>>,
    /// Sessions that browsers carry themselves and that have ended here.
    ended: Mutex<HashMap<[u8; 32], Ended>>,
    /// Seconds since 1970 until which the issuer is left alone.
    pause_until: Mutex<u64>,
    /// The same of single sessions.
    paused: Mutex<HashMap<[u8; 32], u64>>,
}

/// How much of a session has ended.
struct Ended {
    /// The last refresh after which it is over.
    generation: u64,
    /// Milliseconds since 1970: until when that is remembered.
    until: i64,
}

/// What has become of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It has other tokens than it had.
    Moved,
    /// It has ended.
    Over,
    /// It cannot be said.
    Unknown,
}

impl Flights {
    /// Of a new replica; `None` when there is no randomness.
    pub(super) fn new() -> Option<Self> {
        let mut name = [0; 16];
        primitive::fill_random(&mut name).ok()?;
        Some(Self {
            owner: base64url::encode(&name),
            under_way: Mutex::default(),
            failed: Mutex::default(),
            ended: Mutex::default(),
            pause_until: Mutex::default(),
            paused: Mutex::default(),
        })
    }

    pub(super) fn fail(&self, state: &str, now: u64) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.retain(|_, at| (*at..*at + FAILED_SECONDS).contains(&now));
        failed.insert(state.to_owned(), now);
    }

    pub(super) fn has_failed(&self, state: &str) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.contains_key(state)
    }

    /// A session that the browser carries itself has ended, as it was after so many refreshes.
    pub(super) fn end(&self, digest: [u8; 32], generation: u64, (now, until): (i64, i64)) {
        let mut all = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, ended| now < ended.until);
        let ended = all.entry(digest).or_insert(Ended { generation, until });
        ended.generation = ended.generation.max(generation);
    }

    /// Whether it has: what another replica has refreshed since goes on.
    pub(super) fn has_ended(&self, digest: &[u8; 32], generation: u64) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended
            .get(digest)
            .is_some_and(|ended| generation <= ended.generation)
    }

    /// Whether the issuer is left alone, or asked nothing about this session.
    pub(super) fn is_paused(&self, digest: &[u8; 32], now: u64) -> bool {
        let pauses = |until: u64| now < until && until <= now + PAUSE_SECONDS;
        let paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        paused.get(digest).is_some_and(|until| pauses(*until))
            || pauses(*self.pause_until.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn pause(&self, now: u64) {
        *self.pause_until.lock().unwrap_or_else(PoisonError::into_inner) = now + PAUSE_SECONDS;
    }

    /// Nothing is asked about this session for a while; about others it is.
    pub(super) fn pause_one(&self, digest: [u8; 32], now: u64) {
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        paused.retain(|_, until| (now..=now + PAUSE_SECONDS).contains(until));
        paused.insert(digest, now + PAUSE_SECONDS);
    }
}

/// Longer than anybody waits for a login of another window.
const FAILED_SECONDS: u64 = 30;
/// How long an issuer that did not answer is left alone, or a session that it does not renew.
const PAUSE_SECONDS: u64 = 5;
