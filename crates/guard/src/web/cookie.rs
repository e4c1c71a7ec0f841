//! Cookies of the app: their names, read without guessing, written with every attribute.
//!
//! Spec: RFC 6265bis §4.1.2 (attributes), §4.1.3.2 (`__Host-`), §5.7

use http::{HeaderMap, HeaderValue, header};

use super::settings::{SameSite, Settings};

/// The whole name of a cookie. Browsers enforce the prefix: `Secure`, `Path=/`, no `Domain`. On plain http, which is for this machine, they would
/// refuse it.
pub(super) fn name(settings: &Settings, what: &str) -> String {
    let prefix = if settings.secure { "__Host-" } else { "" };
    format!("{prefix}{}_{what}", settings.cookie_name)
}

/// Every pair that the browser has sent.
pub(super) fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(header::COOKIE).iter();
    let lines = lines.filter_map(|value| value.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
}

/// `Set-Cookie` for a value that lives so many seconds; 0 deletes it. `None` when a browser would not keep it (§5.7: 4,096 bytes of name and
/// value).
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

/// The most bytes of name and value that every browser keeps.
pub(super) const MOST_BYTES: usize = 4096;
