//! Headers that have led to a good signature before: the same bytes need no second reading.
//!
//! An issuer writes one header for each of its keys, so a few entries serve all its tokens.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use crate::algorithm::Algorithm;
use crate::key::AnyVerifyingKey;

/// A header segment and what came of it.
pub(super) struct KnownHeader {
    segment: Box<str>,
    /// Of the key set that the key is from: under another one nothing here holds.
    epoch: u64,
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<Arc<str>>,
    pub(super) key: AnyVerifyingKey,
}

/// The headers that one verifier knows.
#[derive(Default)]
pub(super) struct KnownHeaders {
    known: ArcSwap<Vec<Arc<KnownHeader>>>,
}

/// Whoever writes something new into every header gains nothing by it, and makes nobody forget the others.
const MOST: usize = 64;
const LONGEST: usize = 512;

impl KnownHeaders {
    /// The table as it is now.
    pub(super) fn now(&self) -> Guard<Arc<Vec<Arc<KnownHeader>>>> {
        self.known.load()
    }

    /// Adds a header whose token was signed by this key, and drops those of other key sets.
    pub(super) fn add(&self, header: KnownHeader) {
        let known = self.known.load();
        let full = known.len() >= MOST && known.iter().all(|old| old.epoch == header.epoch);
        if full || header.segment.len() > LONGEST {
            return;
        }
        let header = Arc::new(header);
        self.known.rcu(|known| {
            let current = known
                .iter()
                .filter(|old| old.epoch == header.epoch && old.segment != header.segment);
            let mut next: Vec<_> = current.cloned().collect();
            if next.len() < MOST {
                next.push(header.clone());
            }
            next
        });
    }
}

impl KnownHeader {
    pub(super) fn new(
        segment: &str,
        epoch: u64,
        (algorithm, key_id, key): (Algorithm, Option<Arc<str>>, AnyVerifyingKey),
    ) -> Self {
        Self {
            segment: segment.into(),
            epoch,
            algorithm,
            key_id,
            key,
        }
    }

    /// Whether it is this header, under this key set.
    pub(super) fn is(&self, segment: &str, epoch: u64) -> bool {
        self.epoch == epoch && *self.segment == *segment
    }
}
