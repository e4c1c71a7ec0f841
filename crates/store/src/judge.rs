//! What a presented refresh token means for its family. Pure: the row, the token's generation, the time.
//!
//! Spec: RFC 9700 §4.14.2

use crate::family::Family;

#[cfg(test)]
mod model;

/// What a token of generation `n` deserves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is the live one: the next generation is made.
    Rotate,
    /// It is the one before, within the grace, and its successor is unused: the same successor again.
    Retry,
    /// It was spent: the family must die.
    Reuse,
    /// The family has rested or lived too long.
    Expired,
    /// The family was revoked.
    Revoked,
    /// No such token was ever made.
    Unknown,
}

/// Judge a token of generation `n` of this family at `now`, with a grace of `grace_ms` after each rotation.
///
/// A generation counts as unused while it is the newest: to use it is to make the next one. A clock that stepped
/// back counts as no time passed, so an honest client inside the grace goes on; a grace of 0 forgives nothing.
pub fn judge(family: &Family, n: i64, now: i64, grace_ms: i64) -> Verdict {
    let age = now.saturating_sub(family.issued_at).max(0);
    if family.revoked_at.is_some() {
        Verdict::Revoked
    } else if n < 0 || n > family.generation {
        Verdict::Unknown
    } else if now >= family.idle_expires_at || now >= family.absolute_expires_at {
        Verdict::Expired
    } else if n == family.generation {
        Verdict::Rotate
    } else if n == family.generation - 1 && age < grace_ms {
        Verdict::Retry
    } else {
        Verdict::Reuse
    }
}

/// What its live token moves in a family. Nothing else in the row ever changes while it is not revoked.
#[derive(Clone)]
pub(crate) struct Moved {
    pub(crate) generation: i64,
    pub(crate) issued_at: i64,
    pub(crate) idle_expires_at: i64,
    pub(crate) jkt: Option<String>,
}

impl Moved {
    /// The next generation. Issued-at and idle expiry never go back, absolute expiry never moves, a key that is there stays.
    pub(crate) fn rotated(family: &Family, now: i64, jkt: Option<&str>) -> Self {
        Self {
            generation: family.generation.saturating_add(1),
            issued_at: family.issued_at.max(now),
            ..Self::renewed(family, now, jkt)
        }
    }

    /// The same without a new generation: the token that was shown is the one that goes on.
    pub(crate) fn renewed(family: &Family, now: i64, jkt: Option<&str>) -> Self {
        let rested = now.saturating_add(family.idle_ms).min(family.absolute_expires_at);
        Self {
            generation: family.generation,
            issued_at: family.issued_at,
            idle_expires_at: family.idle_expires_at.max(rested),
            jkt: family.jkt.as_deref().or(jkt).map(str::to_owned),
        }
    }

    /// The family after it.
    pub(crate) fn in_family(self, family: Family) -> Family {
        Family {
            generation: self.generation,
            issued_at: self.issued_at,
            idle_expires_at: self.idle_expires_at,
            jkt: self.jkt,
            ..family
        }
    }
}
