//! When a signing key is made, starts to sign, stops, and leaves.
//!
//! staged (published, not signing) → active → retiring (published, not signing) → removed.

use carnet_store::{KeyState, SigningKeyRow};

/// The times that rotation keeps, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// How old an active key may become.
    pub rotate_every: i64,
    /// How long a new key is published before it signs: JWKS cache time and what clocks may differ.
    pub stage_for: i64,
    /// How long an old key stays published: the longest token life and what clocks may differ.
    pub retire_for: i64,
}

/// One thing to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make a key that signs at once: nothing could be signed otherwise. Whoever cached the set before asks again for a `kid` that it lacks.
    First,
    /// Make a key that waits until caches have seen it.
    Stage,
    /// Let the staged key of this `kid` sign.
    Promote(String),
    /// Let the active key of this `kid` stop: nobody has use for another.
    Retire(String),
    /// Take the retiring key of this `kid` out of the set.
    Remove(String),
}

impl Schedule {
    /// What is due at `now` for the keys of one algorithm.
    ///
    /// `wanted`: it is configured. The last key of one that is not serves its time, so that nodes that do not agree yet
    /// do not take each other's keys away.
    pub fn due(&self, keys: &[&SigningKeyRow], wanted: bool, now: i64) -> Vec<Step> {
        let mut steps = Vec::new();
        let of = |state: KeyState| keys.iter().find(|key| key.state == state);
        match (of(KeyState::Active), of(KeyState::Staged)) {
            (_, Some(staged)) if staged.activates_at <= now => steps.push(Step::Promote(staged.kid.clone())),
            // The active key was revoked: some caches may not know the staged one, but none knows a newer.
            (None, Some(staged)) => steps.push(Step::Promote(staged.kid.clone())),
            (None, None) if wanted => steps.push(Step::First),
            (Some(active), None) => {
                let since = active.activated_at.unwrap_or(active.created_at);
                let until = since.saturating_add(self.rotate_every);
                // Staged early enough to take over on time.
                if wanted && now >= until.saturating_sub(self.stage_for) {
                    steps.push(Step::Stage);
                } else if !wanted && now >= until {
                    steps.push(Step::Retire(active.kid.clone()));
                }
            }
            _ => {}
        }
        let leaving = keys.iter().filter(|key| key.state == KeyState::Retiring);
        let gone = leaving.filter(|key| key.removes_at.is_some_and(|at| at <= now));
        steps.extend(gone.map(|key| Step::Remove(key.kid.clone())));
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEDULE: Schedule = Schedule {
        rotate_every: 1_000,
        stage_for: 100,
        retire_for: 200,
    };

    fn key(kid: &str, state: KeyState, at: i64) -> SigningKeyRow {
        SigningKeyRow {
            kid: kid.to_owned(),
            algorithm: "ES256".to_owned(),
            state,
            public_jwk: String::new(),
            sealed: None,
            master_key: String::new(),
            created_at: at,
            published_at: at,
            activates_at: at + SCHEDULE.stage_for,
            activated_at: Some(at),
            retires_at: None,
            removes_at: Some(at + SCHEDULE.retire_for),
            removed_at: None,
            reason: None,
        }
    }

    fn due(keys: &[SigningKeyRow], now: i64) -> Vec<Step> {
        SCHEDULE.due(&keys.iter().collect::<Vec<_>>(), true, now)
    }

    #[test]
    fn the_last_key_of_an_algorithm_that_nobody_wants_serves_its_time() {
        let active = key("a", KeyState::Active, 0);
        let due = |key: &SigningKeyRow, now| SCHEDULE.due(&[key], false, now);
        assert_eq!(due(&active, 999), []);
        assert_eq!(due(&active, 1_000), [Step::Retire("a".to_owned())]);
        let retiring = key("r", KeyState::Retiring, 1_000);
        assert_eq!(due(&retiring, 1_199), []);
        assert_eq!(due(&retiring, 1_200), [Step::Remove("r".to_owned())]);
        assert_eq!(SCHEDULE.due(&[], false, 0), []);
    }

    #[test]
    fn the_first_key_signs_at_once() {
        assert_eq!(due(&[], 0), [Step::First]);
    }

    #[test]
    fn the_next_key_is_published_before_the_active_one_is_too_old() {
        let active = key("a", KeyState::Active, 0);
        assert_eq!(due(std::slice::from_ref(&active), 899), []);
        assert_eq!(due(&[active], 900), [Step::Stage]);
    }

    #[test]
    fn a_staged_key_waits_for_caches_and_then_takes_over() {
        let keys = [key("a", KeyState::Active, 0), key("b", KeyState::Staged, 900)];
        assert_eq!(due(&keys, 999), []);
        assert_eq!(due(&keys, 1_000), [Step::Promote("b".to_owned())]);
    }

    #[test]
    fn without_an_active_key_the_staged_one_signs_at_once() {
        assert_eq!(
            due(&[key("b", KeyState::Staged, 900)], 901),
            [Step::Promote("b".to_owned())]
        );
    }

    #[test]
    fn a_retiring_key_leaves_when_its_last_token_has_expired() {
        let keys = [key("a", KeyState::Active, 150), key("r", KeyState::Retiring, 0)];
        assert_eq!(due(&keys, 199), []);
        assert_eq!(due(&keys, 200), [Step::Remove("r".to_owned())]);
    }
}
