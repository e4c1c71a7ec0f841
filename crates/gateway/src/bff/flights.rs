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
    /// Seconds since 1970 until which the issuer is left alone.
    pause_until: Mutex<u64>,
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
            pause_until: Mutex::default(),
        })
    }

    pub(super) fn is_paused(&self, now: u64) -> bool {
        let until = *self.pause_until.lock().unwrap_or_else(PoisonError::into_inner);
        now < until && until <= now + PAUSE_SECONDS
    }

    pub(super) fn pause(&self, now: u64) {
        *self.pause_until.lock().unwrap_or_else(PoisonError::into_inner) = now + PAUSE_SECONDS;
    }
}

/// How long an issuer that did not answer is left alone.
const PAUSE_SECONDS: u64 = 5;
