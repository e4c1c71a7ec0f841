//! Everything that is taken back, in memory: a look at it takes no lock, and for nearly every token one word for each of its claims.
//!
//! A value is kept as 96 bits of two keyed hashes. An honest token is taken for a revoked one when all of them agree with those of an entry: with
//! a million entries that is once in more than 10^20 looks. The other way round nothing can be missed.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;

use carnet_oauth::revocation::{RevocableToken, Revocation, RevocationKind};
use foldhash::quality::RandomState;

use super::filter::Filter;

/// What was taken back, at one moment.
#[derive(Clone)]
pub(crate) struct Set {
    hashes: Hashes,
    /// A bit for each kind that there is an entry of: nothing is asked of the others.
    kinds: u8,
    /// One for each kind, so that the small ones stay in the processor's nearest memory.
    filters: Arc<[Filter; KINDS]>,
    /// By key.
    base: Arc<[Record]>,
    /// What has come since the base was made; its values are in the filters as well.
    recent: HashMap<(u64, u32), (Times, RevocationKind)>,
}

/// The secrets of this process, for each kind its own: nobody outside can look for values that collide.
#[derive(Clone, Default)]
pub(crate) struct Hashes {
    keys: Kinds,
    checks: Kinds,
}

type Kinds = [RandomState; KINDS];

const KINDS: usize = RevocationKind::ALL.len();

/// An entry as it is kept: 24 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    key: u64,
    check: u32,
    times: Times,
    kind: RevocationKind,
}

/// Seconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Times {
    /// Tokens made at or before this are meant.
    issued_before: u32,
    expires: u32,
}

/// Whatever a token says of its age.
const ANY_AGE: u32 = u32::MAX;

impl Set {
    /// A set of these entries.
    pub(crate) fn new(hashes: Hashes, mut records: Vec<Record>) -> Self {
        records.sort_unstable_by_key(|record| (record.key, record.check));
        records.dedup_by(|later, kept| {
            let same = (later.key, later.check) == (kept.key, kept.check);
            if same {
                kept.times = kept.times.or(later.times);
            }
            same
        });
        let mut counts = [records.len() / PART + RECENT; KINDS];
        for record in &records {
            if let Some(count) = counts.get_mut(record.kind as usize) {
                *count += 1;
            }
        }
        let mut set = Self {
            hashes,
            kinds: 0,
            filters: Arc::new(counts.map(Filter::for_entries)),
            base: records.into(),
            recent: HashMap::new(),
        };
        for record in set.base.iter() {
            set.kinds |= set.note(record);
        }
        set
    }

    /// Whether anything takes this token back.
    pub(crate) fn takes_back(&self, token: &RevocableToken<'_>) -> bool {
        use RevocationKind::{Client, Fam, Jti, Kid, Sid, Sub, SubClient};
        let asks = |kind| self.kinds & bit(kind) != 0;
        let pairs = asks(SubClient);
        let key = |kind, value: Option<&str>, wanted| {
            let value = value.filter(|_| wanted || asks(kind));
            value.map(|value| one(&self.hashes.keys, kind, value))
        };
        let (sub, client) = (key(Sub, token.sub, pairs), key(Client, token.client_id, pairs));
        let both = sub.zip(client).filter(|_| pairs);
        let keys = [
            (Jti, key(Jti, token.jti, false)),
            (Sid, key(Sid, token.sid, false)),
            (Fam, key(Fam, token.fam, false)),
            (Kid, key(Kid, token.kid, false)),
            (Sub, sub),
            (SubClient, both.map(|(sub, client)| joined(sub, client))),
            (Client, client),
        ];
        // All of them before any is decided on: the processor fetches the words at the same time.
        let mut doubtful = 0;
        for (kind, key) in keys {
            if let (Some(key), Some(filter)) = (key, self.filters.get(kind as usize)) {
                doubtful |= u8::from(filter.may_have(key)) << kind as u8;
            }
        }
        let doubts = |kind| doubtful & bit(kind) != 0;
        doubtful != 0
            && keys
                .iter()
                .any(|(kind, key)| doubts(*kind) && key.is_some_and(|key| self.really_has(*kind, key, token)))
    }

    /// With these entries as well; few, beside what is there.
    pub(crate) fn with(&self, records: &[Record]) -> Self {
        let mut next = self.clone();
        for record in records {
            next.kinds |= self.note(record);
            let new = (record.times, record.kind);
            let (known, _) = next.recent.entry((record.key, record.check)).or_insert(new);
            *known = known.or(record.times);
        }
        next
    }

    /// Whether so many have come since it was made that it is better made anew.
    pub(crate) fn is_due(&self) -> bool {
        self.recent.len() > RECENT.max(self.base.len() / PART)
    }

    /// Everything that has not expired by then (seconds since 1970), to make it anew.
    pub(crate) fn living(&self, now: u64) -> Vec<Record> {
        let recent = self.recent.iter().map(|(&(key, check), &(times, kind))| Record {
            key,
            check,
            times,
            kind,
        });
        let all = self.base.iter().copied().chain(recent);
        all.filter(|record| u64::from(record.times.expires) >= now)
            .collect()
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.base.len() + self.recent.len()
    }

    #[cfg(test)]
    pub(crate) fn hashes(&self) -> &Hashes {
        &self.hashes
    }

    /// Puts a value into its filter; the bit of its kind.
    fn note(&self, record: &Record) -> u8 {
        if let Some(filter) = self.filters.get(record.kind as usize) {
            filter.add(record.key);
        }
        bit(record.kind)
    }

    #[cold]
    fn really_has(&self, kind: RevocationKind, key: u64, token: &RevocableToken<'_>) -> bool {
        use RevocationKind::{Client, Fam, Jti, Kid, Sid, Sub, SubClient};
        let value = match kind {
            Jti => token.jti,
            Sid => token.sid,
            Fam => token.fam,
            Kid => token.kid,
            Sub | SubClient => token.sub,
            Client => token.client_id,
        };
        let second = token.client_id.unwrap_or_default();
        let check = check(&self.hashes, kind, (value.unwrap_or_default(), second));
        let age = token
            .iat
            .map_or(0, |iat| u32::try_from(iat).unwrap_or(ANY_AGE - 1));
        let meant = |times: &Times| !has_time(kind) || age <= times.issued_before;
        let at = self
            .base
            .partition_point(|record| (record.key, record.check) < (key, check));
        let base = self
            .base
            .get(at)
            .filter(|record| (record.key, record.check) == (key, check));
        base.is_some_and(|record| meant(&record.times))
            || self
                .recent
                .get(&(key, check))
                .is_some_and(|(times, _)| meant(times))
    }
}

impl Hashes {
    /// An entry as it is kept.
    pub(crate) fn record(&self, entry: &Revocation) -> Record {
        let value = match entry.kind {
            RevocationKind::SubClient => entry.value.split_once(' ').unwrap_or((&entry.value, "")),
            _ => (entry.value.as_str(), ""),
        };
        let seconds = |time: i64| u32::try_from(time.max(0)).unwrap_or(ANY_AGE - 1);
        Record {
            key: hash(&self.keys, entry.kind, value),
            check: check(self, entry.kind, value),
            kind: entry.kind,
            times: Times {
                issued_before: entry.issued_before.map_or(ANY_AGE, seconds),
                expires: seconds(entry.exp),
            },
        }
    }
}

impl Times {
    fn or(self, other: Self) -> Self {
        Self {
            issued_before: self.issued_before.max(other.issued_before),
            expires: self.expires.max(other.expires),
        }
    }
}

fn check(hashes: &Hashes, kind: RevocationKind, value: (&str, &str)) -> u32 {
    let hash = hash(&hashes.checks, kind, value);
    u32::try_from(hash >> 32).unwrap_or_default()
}

/// `second` counts only where a value has two parts.
fn hash(states: &Kinds, kind: RevocationKind, (first, second): (&str, &str)) -> u64 {
    use RevocationKind::{Client, Sub, SubClient};
    match kind {
        SubClient => joined(one(states, Sub, first), one(states, Client, second)),
        _ => one(states, kind, first),
    }
}

fn one(states: &Kinds, kind: RevocationKind, value: &str) -> u64 {
    let Some(state) = states.get(kind as usize) else {
        return 0;
    };
    let mut hasher = state.build_hasher();
    hasher.write(value.as_bytes());
    hasher.finish()
}

/// Of two parts, each hashed with secrets of its own: they are looked at one by one anyhow.
fn joined(first: u64, second: u64) -> u64 {
    first.rotate_left(32).wrapping_add(second)
}

/// Kinds of which an entry means tokens up to a time; the others mean one thing, whatever its age.
fn has_time(kind: RevocationKind) -> bool {
    use RevocationKind::{Client, Sub, SubClient};
    matches!(kind, Sub | SubClient | Client)
}

fn bit(kind: RevocationKind) -> u8 {
    1 << kind as u8
}

/// Entries that are kept beside the base before it is made anew, at the least.
const RECENT: usize = 1_024;
/// Beside a large base this part of it.
const PART: usize = 64;

#[cfg(test)]
mod tests;
