//! The proofs and tokens that were seen a moment ago, so that each counts once in this process.
//!
//! Spec: RFC 9449 §11.1 · RFC 7519 §4.1.7 (jti)

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use carnet_oauth::dpop::WINDOW_SECONDS;
use http::request::Parts;
use http::{Extensions, Method};

/// Two generations, each as long as what is remembered may be used: what is older than the older one cannot come back.
pub(crate) struct SeenTokens {
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    /// How long each counts, in seconds.
    life: u64,
    /// When the newer one began, in seconds.
    began: u64,
    newer: HashSet<[u8; 16]>,
    older: HashSet<[u8; 16]>,
}

/// A proof that was counted for a request. Nothing of it comes from outside: whoever sends the proof again sends a request of its own.
#[derive(Clone)]
pub(crate) struct Counted {
    by: Arc<SeenTokens>,
    name: [u8; 32],
    method: Method,
    url: String,
}

/// What was counted for the request that it lies in, by whom of several: layers further in find it, and do not count it once more.
#[derive(Clone)]
struct AllCounted(Vec<Counted>);

impl Counted {
    /// Counts a proof, unless that was done for this very request.
    pub(crate) fn count(
        by: &Arc<SeenTokens>,
        (request, url): (&Parts, &str),
        (name, now): ([u8; 32], u64),
    ) -> Result<Self, Uncounted> {
        let this = Self {
            by: by.clone(),
            name,
            method: request.method.clone(),
            url: url.to_owned(),
        };
        let known = request.extensions.get::<AllCounted>();
        let counted = known.is_some_and(|known| known.0.iter().any(|known| known.is_same(&this)));
        match counted || by.is_new(name, now).ok_or(Uncounted::TooMany)? {
            true => Ok(this),
            false => Err(Uncounted::SeenBefore),
        }
    }

    /// Leaves it in the request.
    pub(crate) fn leave(self, extensions: &mut Extensions) {
        let AllCounted(known) = extensions.get_or_insert_with(|| AllCounted(Vec::new()));
        if !known.iter().any(|known| known.is_same(&self)) {
            known.push(self);
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.by, &other.by)
            && (&self.name, &self.method, &self.url) == (&other.name, &other.method, &other.url)
    }
}

/// Why a proof does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Uncounted {
    /// It has come by another request.
    SeenBefore,
    /// No more can be remembered for the moment.
    TooMany,
}

/// How long a proof may be used, counted from its arrival: one that was made ahead of our time is good for that much longer.
const PROOF_LIFE_SECONDS: u64 = 2 * WINDOW_SECONDS + 1;
/// Under eighty megabytes in both generations: what a table of 2^21 places holds. Only what holds gets here: 87,000 proofs a second for one
/// process, or 5,000 tokens of services.
const MOST: usize = (1 << 21) / 8 * 7;

impl SeenTokens {
    /// For DPoP proofs.
    pub(crate) fn of_proofs() -> Self {
        Self::for_seconds(PROOF_LIFE_SECONDS)
    }

    /// For what can be used for as long as this after it was seen first.
    pub(crate) fn for_seconds(life: u64) -> Self {
        let generations = Generations {
            life,
            ..Generations::default()
        };
        Self {
            generations: Mutex::new(generations),
        }
    }

    /// From now on what is seen can be used for as long as this: what is known is not forgotten before.
    pub(crate) fn outlive(&self, life: u64) {
        let mut seen = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        seen.life = seen.life.max(life);
    }

    /// Whether one of this name has not been seen; `None` when no more can be remembered for the moment: then none counts. The names are
    /// hashes, of which half is enough: who finds two that are alike has refused one of his own.
    pub(crate) fn is_new(&self, name: [u8; 32], now: u64) -> Option<bool> {
        let name: [u8; 16] = std::array::from_fn(|at| name[at]);
        let mut seen = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let life = seen.life;
        if seen.began > now.saturating_add(life) {
            // The clock was ahead and came back.
            seen.began = now;
        }
        let age = now.saturating_sub(seen.began);
        if age >= life {
            let last = std::mem::take(&mut seen.newer);
            // After a longer rest neither of them can hold anything that counts.
            seen.older = if age < 2 * life { last } else { HashSet::new() };
            seen.began = now;
        }
        if seen.older.contains(&name) || seen.newer.contains(&name) {
            return Some(false);
        }
        if seen.newer.len() >= MOST {
            return None;
        }
        Some(seen.newer.insert(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn name(number: u64) -> [u8; 32] {
        let mut name = [0; 32];
        name[..8].copy_from_slice(&number.to_be_bytes());
        name
    }

    #[test]
    fn a_proof_is_remembered_for_as_long_as_it_could_come_back() {
        for first in 0..PROOF_LIFE_SECONDS {
            let seen = SeenTokens::of_proofs();
            seen.is_new(name(0), NOW);
            assert_eq!(seen.is_new(name(1), NOW + first), Some(true));
            for later in 0..PROOF_LIFE_SECONDS {
                assert_eq!(
                    seen.is_new(name(1), NOW + first + later),
                    Some(false),
                    "{first} {later}"
                );
            }
            // A clock that steps back makes nobody forget.
            assert_eq!(seen.is_new(name(1), NOW - 60), Some(false));
            assert_eq!(
                seen.is_new(name(1), NOW + 3 * PROOF_LIFE_SECONDS),
                Some(true),
                "forgotten in the end"
            );
        }
    }

    #[test]
    fn what_can_be_used_for_longer_from_now_on_is_remembered_for_longer() {
        let seen = SeenTokens::for_seconds(10);
        assert_eq!(seen.is_new(name(1), NOW), Some(true));
        seen.outlive(100);
        // A shorter life from then on makes nobody forget what was seen in the longer one.
        seen.outlive(5);
        for later in [10, 20, 99] {
            assert_eq!(seen.is_new(name(1), NOW + later), Some(false), "{later}");
        }
        assert_eq!(seen.is_new(name(1), NOW + 300), Some(true));
    }

    #[test]
    fn the_memory_is_bounded_and_full_lets_nobody_in() {
        let seen = SeenTokens::of_proofs();
        for number in 0..MOST as u64 {
            seen.is_new(name(number), NOW);
        }
        assert_eq!(seen.is_new(name(u64::MAX), NOW), None);
        assert_eq!(seen.is_new(name(7), NOW), Some(false));
        assert_eq!(seen.is_new(name(u64::MAX), NOW + PROOF_LIFE_SECONDS), Some(true));
    }
}
