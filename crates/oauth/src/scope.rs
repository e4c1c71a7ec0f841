//! Scope: what an access token may be used for.
//!
//! Spec: RFC 6749 §3.3

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A set of scope tokens: each of `%x21 / %x23-5B / %x5D-7E`, compared byte for byte, order without meaning.
///
/// ```
/// use carnet_oauth::scope::ScopeSet;
///
/// let granted: ScopeSet = "read:orders write:orders".parse()?;
/// assert!(granted.contains("read:orders"));
/// assert!("write:orders".parse::<ScopeSet>()?.is_subset(&granted));
/// assert!("read:\"orders\"".parse::<ScopeSet>().is_err());
/// # Ok::<(), carnet_oauth::scope::InvalidScope>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeSet(BTreeSet<String>);

/// The scopes of OpenID Connect: they are about a user, and mean nothing without one (OpenID Connect Core §5.4, §11).
pub const OPENID_SCOPES: &[&str] = &["openid", "profile", "email", "address", "phone", "offline_access"];

/// The longest scope value that is read, in bytes.
pub const MAX_SCOPE_BYTES: usize = 2048;

/// The value is no scope of RFC 6749 §3.3, or longer than [`MAX_SCOPE_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidScope;

impl ScopeSet {
    /// Whether this exact scope token is in the set.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// Whether every scope of this set is in `other`.
    pub fn is_subset(&self, other: &ScopeSet) -> bool {
        self.0.is_subset(&other.0)
    }

    /// The scopes that are in both sets.
    pub fn intersection(&self, other: &ScopeSet) -> ScopeSet {
        ScopeSet(self.0.intersection(&other.0).cloned().collect())
    }

    /// As [`ScopeSet::intersection`], without a copy of what stays.
    pub fn within(mut self, most: &ScopeSet) -> ScopeSet {
        self.0.retain(|name| most.contains(name));
        self
    }

    /// The set without these scopes.
    pub fn without(&self, names: &[&str]) -> ScopeSet {
        let others = self.0.iter().filter(|name| !names.contains(&name.as_str()));
        ScopeSet(others.cloned().collect())
    }

    /// The set together with another.
    pub fn union(&self, other: &ScopeSet) -> ScopeSet {
        ScopeSet(self.0.union(&other.0).cloned().collect())
    }

    /// Whether no scope is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scope tokens in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl FromStr for ScopeSet {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E | b' ');
        if text.len() > MAX_SCOPE_BYTES || !text.bytes().all(allowed) {
            return Err(InvalidScope);
        }
        Ok(ScopeSet(
            text.split(' ')
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
        ))
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, name) in self.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl Serialize for ScopeSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ScopeSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for InvalidScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scope is space-separated words of visible ASCII without quote and backslash, 2048 bytes at most")
    }
}

impl std::error::Error for InvalidScope {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_repetition_carry_no_meaning() {
        assert_eq!("b a a".parse::<ScopeSet>(), "a b".parse());
        assert_eq!(
            "b  a".parse::<ScopeSet>().map(|scope| scope.to_string()),
            Ok("a b".to_owned())
        );
    }

    #[test]
    fn scope_tokens_are_case_sensitive() {
        assert!(
            !"Read"
                .parse::<ScopeSet>()
                .is_ok_and(|scope| scope.contains("read"))
        );
    }

    #[test]
    fn quotes_backslashes_controls_and_other_alphabets_are_refused() {
        for text in ["open\"id", "a\\b", "a\u{0}", "a\tb", "lecture-é"] {
            assert_eq!(text.parse::<ScopeSet>(), Err(InvalidScope), "{text:?}");
        }
        assert_eq!(
            "x".repeat(MAX_SCOPE_BYTES + 1).parse::<ScopeSet>(),
            Err(InvalidScope)
        );
    }
}
