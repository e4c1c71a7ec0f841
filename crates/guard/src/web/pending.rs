//! Answers that will set the cookies of a session: as long as one of them takes, it is known which tokens the session has come to meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::held::Held;

/// The sessions with such answers, by name.
#[derive(Clone, Default)]
pub(super) struct Pending(Arc<Mutex<HashMap<String, Waiting>>>);

struct Waiting {
    answers: usize,
    newest: Held,
    /// When they came, in seconds since 1970.
    since: u64,
    /// Whether an answer has told the browser of them.
    told: bool,
}

/// What is known of the tokens of a session.
pub(super) struct Known {
    pub(super) held: Held,
    /// When they came, in seconds since 1970.
    pub(super) since: u64,
    /// Whether an answer has told the browser of them.
    pub(super) told: bool,
}

/// As long as one of these answers takes.
pub(super) struct Answering {
    pending: Pending,
    id: String,
}

impl Pending {
    /// One to a request that has renewed the session of this name to these tokens.
    pub(super) fn begin(&self, id: &str, held: &Held, now: u64) -> Answering {
        let fresh = || Waiting {
            answers: 0,
            newest: held.clone(),
            since: now,
            told: false,
        };
        let mut all = self.lock();
        let waiting = all.entry(id.to_owned()).or_insert_with(fresh);
        waiting.answers += 1;
        if !waiting.newest.is_newer_than(held) {
            (waiting.newest, waiting.since, waiting.told) = (held.clone(), now, false);
        }
        Answering {
            pending: self.clone(),
            id: id.to_owned(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answering {
    /// The newest tokens that any of these requests has got.
    pub(super) fn newest(&self) -> Option<Known> {
        let all = self.pending.lock();
        let waiting = all.get(&self.id)?;
        Some(Known {
            held: waiting.newest.clone(),
            since: waiting.since,
            told: waiting.told,
        })
    }

    /// This answer tells the browser of these.
    pub(super) fn tells(&self, held: &Held) {
        if let Some(waiting) = self.pending.lock().get_mut(&self.id) {
            waiting.told = !waiting.newest.is_newer_than(held);
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let mut all = self.pending.lock();
        let Some(waiting) = all.get_mut(&self.id) else {
            return;
        };
        waiting.answers -= 1;
        if waiting.answers == 0 {
            all.remove(&self.id);
        }
    }
}
