//! Cookies of an app, for the programs that keep its tokens: read without guessing, written with every attribute.
//!
//! Spec: RFC 6265bis §4.1.2 (attributes), §5.7 (what a browser keeps)

use http::{HeaderMap, HeaderValue, header};

/// Which requests that begin on another site carry a cookie (§4.1.2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// None at all.
    Strict,
    /// The links that people follow, and nothing that changes anything.
    Lax,
}

/// Every pair of ASCII that the browser has sent, in its order. Another pair beside it, of which nobody here knows, hides none of them.
pub fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(header::COOKIE).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
        .filter(|pair| pair.is_ascii())
        .filter_map(|pair| std::str::from_utf8(pair).ok()?.trim().split_once('='))
}

/// The values under a name, four at most. A browser may have several: of another path, or of a time before a prefix.
pub fn values<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h str> {
    pairs(headers)
        .filter(move |(key, _)| *key == name)
        .map(|(_, value)| value)
        .take(MOST_OF_A_NAME)
}

/// `Set-Cookie` for the whole host, out of reach of scripts, that lives `max_age` seconds; 0 deletes it. Over https it says `secure`: on plain http, which is
/// for this machine, browsers would refuse that. `None` when a browser would not keep it ([`MOST_BYTES`]), or when the pair cannot stand in a header.
pub fn set(
    secure: bool,
    (name, value): (&str, &str),
    max_age: u64,
    same_site: SameSite,
) -> Option<HeaderValue> {
    if name.len() + value.len() > MOST_BYTES {
        return None;
    }
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly{secure}; SameSite={same_site:?}");
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The most bytes of name and value that every browser keeps (§5.7).
pub const MOST_BYTES: usize = 4096;
/// Whoever sends more of one name is not tried further.
const MOST_OF_A_NAME: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_from_every_line_and_values_of_a_name_four_at_most() {
        let mut headers = HeaderMap::new();
        for line in ["a=1; b=2;c = x", "a=2; junk; a=3=3", "a=4; a=5"] {
            headers.append(header::COOKIE, HeaderValue::from_static(line));
        }
        let line = HeaderValue::from_bytes(b"a=\xff; d=6;\xc3\xa9=7").unwrap();
        headers.append(header::COOKIE, line);
        let all: Vec<_> = pairs(&headers).collect();
        assert_eq!(all[..3], [("a", "1"), ("b", "2"), ("c ", " x")]);
        assert_eq!((all.len(), all[7]), (8, ("d", "6")));
        assert_eq!(values(&headers, "a").collect::<Vec<_>>(), ["1", "2", "3=3", "4"]);
    }

    #[test]
    fn every_attribute_is_said_and_secure_where_it_can_be() {
        let set = |secure, same_site| set(secure, ("n", "v"), 60, same_site).unwrap();
        let strict = set(true, SameSite::Strict);
        assert_eq!(
            strict,
            "n=v; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Strict"
        );
        assert_eq!(
            set(false, SameSite::Lax),
            "n=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"
        );
        assert!(strict.is_sensitive());
    }

    #[test]
    fn what_no_browser_would_keep_or_no_header_carry_is_not_set() {
        let value = "v".repeat(MOST_BYTES - 1);
        assert!(set(true, ("n", &value), 1, SameSite::Lax).is_some());
        assert!(set(true, ("nn", &value), 1, SameSite::Lax).is_none());
        assert!(set(true, ("n", "a\r\nb"), 1, SameSite::Lax).is_none());
    }
}
