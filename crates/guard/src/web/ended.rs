//! The logins that were ended here, until no access token of theirs can live any more.
//!
//! Spec: OpenID Connect RP-Initiated Logout §2

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// Names of sessions. Cookies that somebody has kept are still sealed and still fresh: without this they would work on for the minutes of
/// their access token. Another process learns it from the revocation feed, from introspection, or when that token runs out.
#[derive(Default)]
pub(super) struct Ended {
    names: Mutex<Names>,
    /// Wakes what waits for the end of a login.
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Names {
    /// Each with the second from which on it may be forgotten.
    until: HashMap<String, u64>,
    /// The next size at which what is over is looked for.
    tidy_at: usize,
}

impl Ended {
    /// From now on this session is over.
    pub(super) fn insert(&self, id: &str, now: u64) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.until.len() >= names.tidy_at {
            names.until.retain(|_, until| *until > now);
            names.tidy_at = (2 * names.until.len()).max(LEAST);
        }
        names
            .until
            .insert(id.to_owned(), now.saturating_add(REMEMBERED_SECONDS));
        drop(names);
        self.changed.send_replace(());
    }

    /// Waits until it is ended.
    pub(super) async fn until(&self, id: &str) {
        // Before the first look: an end between the look and the wait would be missed.
        let mut changed = self.changed.subscribe();
        while !self.has(id) && changed.changed().await.is_ok() {}
    }

    /// Whether it was ended.
    pub(super) fn has(&self, id: &str) -> bool {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.until.contains_key(id)
    }
}

/// Longer than an access token lives. Each of these cost a login, so there are no more than people can make in a day.
const REMEMBERED_SECONDS: u64 = 86_400;
const LEAST: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ended_session_is_known_for_a_day_and_then_forgotten() {
        let ended = Ended::default();
        ended.insert("first", 1_000);
        for number in 0..LEAST {
            ended.insert(&number.to_string(), 1_000 + REMEMBERED_SECONDS - 1);
        }
        assert!(ended.has("first") && !ended.has("other"));
        for number in 0..2 * LEAST {
            ended.insert(&format!("later {number}"), 1_000 + REMEMBERED_SECONDS);
        }
        assert!(!ended.has("first") && ended.has("0"));
    }
}
