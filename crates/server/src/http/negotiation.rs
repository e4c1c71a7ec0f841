//! What a caller takes, and what it has already.
//!
//! Spec: RFC 9110 §8.3.1, §12.4.2, §12.5.1 (Accept), §13.1.2 (If-None-Match)

use http::{HeaderMap, HeaderName, header};

/// Whether `Accept` names this media type, whole and in any letters. A weight of 0 is a no.
pub(crate) fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    members(headers, header::ACCEPT).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(media_type));
        let refused = parts.any(|part| {
            let weight = part
                .split_once('=')
                .filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
            weight.is_some_and(|(_, value)| value.trim().parse() == Ok(0.0_f32))
        });
        named && !refused
    })
}

/// Whether the caller has what this tag names.
pub(crate) fn is_unchanged(headers: &HeaderMap, etag: &str) -> bool {
    members(headers, header::IF_NONE_MATCH)
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

fn members(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn with(name: HeaderName, lines: &[&'static str]) -> HeaderMap {
        lines
            .iter()
            .map(|line| (name.clone(), HeaderValue::from_static(line)))
            .collect()
    }

    #[test]
    fn a_type_is_taken_when_it_is_named_and_not_refused() {
        for (lines, taken) in [
            (&["text/event-stream"][..], true),
            (&["TEXT/Event-Stream; q=0.1"], true),
            (&["text/html", "text/html, text/event-stream"], true),
            (&["text/event-stream;q=0"], false),
            (&["text/event-stream; Q = 0.000"], false),
            (&["text/event-streams"], false),
            (&["*/*"], false),
            (&[], false),
        ] {
            let headers = with(header::ACCEPT, lines);
            assert_eq!(accepts(&headers, "text/event-stream"), taken, "{lines:?}");
        }
    }

    #[test]
    fn what_the_caller_has_is_named_by_its_tag_or_by_a_star() {
        for (lines, unchanged) in [
            (&["\"a\""][..], true),
            (&["\"b\", W/\"a\""], true),
            (&["\"b\"", "\"a\""], true),
            (&["*"], true),
            (&["\"b\""], false),
            (&["a"], false),
            (&[], false),
        ] {
            let headers = with(header::IF_NONE_MATCH, lines);
            assert_eq!(is_unchanged(&headers, "\"a\""), unchanged, "{lines:?}");
        }
    }
}
