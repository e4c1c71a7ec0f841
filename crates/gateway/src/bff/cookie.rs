//! The cookies: their names, read without guessing, written with every attribute.
//!
//! Spec: RFC 6265bis §4.1.2 (attributes), §4.1.3 (prefixes) · RFC 10017 §6.1.3.2

use http::{HeaderMap, HeaderValue, header};

use super::app::Settings;

/// Which requests that begin on another site carry a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SameSite {
    /// None at all.
    Strict,
    /// The links that people follow, and nothing that changes anything.
    Lax,
}

/// Every pair that the browser has sent.
pub(super) fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(header::COOKIE).iter();
    let lines = lines.filter_map(|value| value.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
}

/// The values under a name. A browser may have several: of another path, or of a time before the prefix.
pub(super) fn values<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h str> {
    pairs(headers)
        .filter(move |(key, _)| *key == name)
        .map(|(_, value)| value)
        .take(MOST_OF_A_NAME)
}

/// `Set-Cookie` for a value that lives so many seconds; 0 deletes it.
pub(super) fn set(
    settings: &Settings,
    (name, value): (&str, &str),
    max_age: u64,
    same_site: SameSite,
) -> Option<HeaderValue> {
    if name.len() + value.len() > MOST_BYTES {
        return None;
    }
    let secure = if settings.secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly{secure}; SameSite={same_site:?}");
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The most bytes of name and value that every browser keeps (RFC 6265bis §5.7).
const MOST_BYTES: usize = 4096;
/// Whoever sends more of one name is not tried further.
const MOST_OF_A_NAME: usize = 4;
