//! What a request is called, so that the lines of it in all logs are found by one word.
//!
//! Spec: OWASP ASVS 5.0 §16.2.1 (correlation)

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header that names it: whoever stands in front of us has written it, or its sender.
const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The name, when there is one that means nothing in a line of a log. Anybody may choose it: it is for finding lines, and proves nothing.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut values = headers.get_all(HEADER).iter();
    let only = values.next().filter(|_| values.next().is_none())?;
    let fits = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'/' | b'=' | b'+')
    };
    let bytes = only.as_bytes();
    ((1..=LONGEST).contains(&bytes.len()) && bytes.iter().all(fits)).then_some(only)
}

/// The name as the log writes it.
pub(crate) fn word(name: Option<&HeaderValue>) -> Option<&str> {
    name.and_then(|name| name.to_str().ok())
}

const LONGEST: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_mean_something_in_a_log_is_none() {
        let longest = "a".repeat(LONGEST);
        let too_long = "a".repeat(LONGEST + 1);
        for (said, fits) in [
            ("4bf92f3577b34da6", true),
            ("Root=1-5759e988:a/b+c.d_e", true),
            (longest.as_str(), true),
            (too_long.as_str(), false),
            ("", false),
            ("a b", false),
            ("a\" code=\"x", false),
        ] {
            let headers = HeaderMap::from_iter([(HEADER, HeaderValue::from_str(said).unwrap())]);
            assert_eq!(word(request_id(&headers)).is_some(), fits, "{said}");
        }
        let mut twice = HeaderMap::new();
        twice.append(HEADER, HeaderValue::from_static("a"));
        twice.append(HEADER, HeaderValue::from_static("b"));
        assert!(request_id(&twice).is_none());
    }
}
