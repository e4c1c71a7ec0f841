//! What a caller takes, and what it has already.
//!
//! Spec: RFC 9110 §8.3.1, §12.4.2, §12.5.1 (Accept), §12.5.4 (Accept-Language), §13.1.2 (If-None-Match)

use http::{HeaderMap, HeaderName, header};

/// Whether `Accept` names this media type, whole and in any letters. A weight of 0 is a no.
pub(crate) fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    members(headers, header::ACCEPT).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(media_type));
        named && weight(parts) > 0.0
    })
}

/// Whether a page is dearer than JSON, or named before it: a person reads.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    let is = |media_type: &str, other: &str| media_type.eq_ignore_ascii_case(other);
    let wanted = by_weight(headers, header::ACCEPT);
    let first = wanted
        .iter()
        .find(|wanted| is(wanted, PAGE) || is(wanted, "application/json"));
    first.is_some_and(|first| is(first, PAGE))
}

/// What a list names, the dearest first. What has a weight of 0 is left out.
pub(crate) fn by_weight(headers: &HeaderMap, name: HeaderName) -> Vec<&str> {
    let weighed = members(headers, name).map(|member| {
        let mut parts = member.split(';').map(str::trim);
        let named = parts.next().unwrap_or_default();
        (weight(parts), named)
    });
    let mut wanted: Vec<_> = weighed.filter(|(weight, _)| *weight > 0.0).collect();
    wanted.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    wanted.into_iter().map(|(_, named)| named).collect()
}

/// §12.4.2: 1 when none is named; what is none wants nothing.
fn weight<'a>(mut parts: impl Iterator<Item = &'a str>) -> f32 {
    let value = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    let weight = value.map_or(Ok(1.0), str::parse);
    weight
        .ok()
        .filter(|weight| (0.0..=1.0).contains(weight))
        .unwrap_or(0.0)
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

const PAGE: &str = "text/html";

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
    fn a_page_is_for_whom_it_is_dearer_than_json() {
        for (lines, page) in [
            (&["text/html,application/xhtml+xml,*/*;q=0.8"][..], true),
            (&["application/json;q=0.5, Text/HTML"], true),
            (&["application/json, text/html;q=0.1"], false),
            (&["application/json, text/html"], false),
            (&["application/json"], false),
            (&["text/html;q=0"], false),
            (&["*/*"], false),
            (&[], false),
        ] {
            assert_eq!(wants_page(&with(header::ACCEPT, lines)), page, "{lines:?}");
        }
    }

    #[test]
    fn what_is_dearer_comes_first_and_what_is_refused_does_not_come() {
        for (lines, wanted) in [
            (&["de, en"][..], &["de", "en"][..]),
            (&["de;q=0.1, en;q=0.9"], &["en", "de"]),
            (&["de;q=0, en"], &["en"]),
            (&["fr;q=0.5", "en;Q=0.4, de"], &["de", "fr", "en"]),
            (&["de;q=x, en;q=2, fr;q=NaN, *;q=0.001"], &["*"]),
            (&[], &[]),
        ] {
            let headers = with(header::ACCEPT_LANGUAGE, lines);
            assert_eq!(by_weight(&headers, header::ACCEPT_LANGUAGE), wanted, "{lines:?}");
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
