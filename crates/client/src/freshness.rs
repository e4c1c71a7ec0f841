//! How long an answer may be used before it is asked for again.
//!
//! Spec: RFC 9111 §4.2.1 (lifetime), §4.2.3 (Age), §5.2.2 (directives)

use std::time::Duration;

use http::{HeaderMap, header};

/// The lifetime that the answer names, a day at most, less the time that it lay in caches; `None` when it names none. It is never made longer:
/// the issuer counts on it when it begins to sign with a key that it has published for so long.
///
/// At least a fifth of the lifetime is left, so that a cache that hands out old answers is not asked all the time.
pub(crate) fn lifetime(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut max_age = None;
    for directive in lines.flat_map(|line| line.split(',')) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let name = name.trim();
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return Some(UNCACHEABLE);
        }
        if name.eq_ignore_ascii_case("max-age") && max_age.is_none() {
            max_age = value.trim().trim_matches('"').parse::<u64>().ok();
        }
    }
    let max_age = match max_age? {
        0 => return Some(UNCACHEABLE),
        seconds => Duration::from_secs(seconds).min(LONGEST),
    };
    let age = headers
        .get(header::AGE)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let left = max_age.saturating_sub(Duration::from_secs(age.unwrap_or(0)));
    Some(left.max(max_age / 5))
}

const LONGEST: Duration = Duration::from_secs(86_400);
/// Keys are used from memory all the same: nobody wants to be asked about each token.
const UNCACHEABLE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(control: &'static str, age: &'static str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, control.parse().unwrap());
        headers.insert(header::AGE, age.parse().unwrap());
        lifetime(&headers).map(|lifetime| lifetime.as_secs())
    }

    #[test]
    fn a_lifetime_is_max_age_less_age() {
        for (control, age, expected) in [
            ("max-age=600", "0", Some(600)),
            ("public, Max-Age=\"600\" , must-revalidate", "100", Some(500)),
            ("max-age=600", "9000", Some(120)),
            ("max-age=600", "-1", Some(600)),
            ("max-age=1", "0", Some(1)),
            ("max-age=99999999999", "0", Some(86_400)),
            ("max-age=99999999999999999999999", "0", None),
            ("max-age=-1", "0", None),
            ("public", "0", None),
            ("s-maxage=5", "0", None),
        ] {
            assert_eq!(seconds(control, age), expected, "{control:?}");
        }
    }

    #[test]
    fn what_may_not_be_cached_is_asked_for_once_a_minute() {
        for control in ["no-store", "max-age=0", "no-cache, max-age=600", "NO-STORE"] {
            assert_eq!(seconds(control, "0"), Some(60), "{control:?}");
        }
    }
}
