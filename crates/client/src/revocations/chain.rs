//! Messages in their order: each goes on where the one before ended, or it is not believed.

use carnet_oauth::revocation::RevocationMessage;

use super::set::{Hashes, Record, Set};

/// What has been followed so far.
pub(crate) struct Chain {
    hashes: Hashes,
    epoch: String,
    cursor: i64,
    /// When the newest message was made.
    newest: u64,
    /// When the newest message was made that said that nothing more was known.
    whole_at: u64,
    /// A set that is not whole yet; the one before counts until it is.
    building: Option<Vec<Record>>,
    /// When what has expired was last left out.
    cleaned: u64,
}

/// What a message leads to.
pub(crate) enum Step {
    /// These as well.
    More(Vec<Record>),
    /// These and no other.
    Anew(Vec<Record>),
    /// The set is not whole yet.
    Unfinished,
}

/// Why a message is not believed: the connection is given up, and asked anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Odd {
    /// Something is missing between what is known and what it says.
    Gap,
    /// It was made before one that is known.
    Old,
}

impl Chain {
    pub(crate) fn new(hashes: Hashes) -> Self {
        Self {
            hashes,
            epoch: String::new(),
            cursor: 0,
            newest: 0,
            whole_at: 0,
            building: None,
            cleaned: 0,
        }
    }

    /// What its records are made with.
    pub(crate) fn hashes(&self) -> &Hashes {
        &self.hashes
    }

    /// Where to go on; `None` at the beginning.
    pub(crate) fn position(&self) -> Option<(&str, i64)> {
        (!self.epoch.is_empty()).then_some((self.epoch.as_str(), self.cursor))
    }

    /// Takes the next message. Whoever stands between us and the issuer may hold messages back or send them once more: neither takes anything
    /// out of the set, and neither is taken for a sign of life.
    pub(crate) fn take(&mut self, message: &RevocationMessage) -> Result<Step, Odd> {
        let goes_on = self.position() == Some((message.epoch.as_str(), message.since));
        // From the beginning: only the newest word counts, or an old one could bring back what was taken back since.
        let latest = if goes_on {
            self.newest.saturating_sub(APART)
        } else {
            self.newest
        };
        if message.iat < latest {
            return Err(Odd::Old);
        }
        if message.cursor < message.since || !goes_on && message.since != 0 {
            return Err(Odd::Gap);
        }
        if !goes_on {
            self.epoch.clone_from(&message.epoch);
            self.building = Some(Vec::new());
        }
        self.cursor = message.cursor;
        self.newest = self.newest.max(message.iat);
        let records = message.entries.iter().map(|entry| self.hashes.record(entry));
        match &mut self.building {
            Some(building) => {
                building.extend(records);
                match message.more {
                    true => Ok(Step::Unfinished),
                    false => Ok(Step::Anew(self.building.take().unwrap_or_default())),
                }
            }
            None => Ok(Step::More(records.collect())),
        }
    }

    /// Whether a message says, later than any before it, that nothing more is known.
    pub(crate) fn is_sign_of_life(&mut self, message: &RevocationMessage) -> bool {
        let later = !message.more && message.iat > self.whole_at;
        if later {
            self.whole_at = message.iat;
        }
        later
    }

    /// The set made anew, when it is time for it: without what no token can be any more, by the issuer's own clock.
    pub(crate) fn renewed(&mut self, set: &Set) -> Option<Vec<Record>> {
        if !set.is_due() && self.newest < self.cleaned + CLEAN_EVERY {
            return None;
        }
        self.cleaned = self.newest;
        let living = set.living(self.newest.saturating_sub(LONGEST_LEEWAY));
        (set.is_due() || living.len() < set.len()).then_some(living)
    }
}

/// How far the clocks of the issuer's nodes may be apart, in seconds.
const APART: u64 = 10;
/// The most that a policy forgives in the times of a token, in seconds: for as long an entry may still match.
const LONGEST_LEEWAY: u64 = 600;
const CLEAN_EVERY: u64 = 60;

#[cfg(test)]
mod tests;
