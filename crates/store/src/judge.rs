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

/// The family after its live token was presented: the meaning of the conditional UPDATE.
#[cfg(test)]
pub(crate) fn rotated(family: &Family, now: i64) -> Family {
    let mut next = family.clone();
    next.generation += 1;
    next.issued_at = family.issued_at.max(now);
    let rested = now.saturating_add(family.idle_ms).min(family.absolute_expires_at);
    next.idle_expires_at = family.idle_expires_at.max(rested);
    next
}
