//! Where a request comes from: a page of this app or of another site, and whether it wants a page or a WebSocket.
//!
//! Spec: W3C Fetch Metadata §2 · RFC 6454 §7 (Origin) · RFC 6455 §4.2.1, §10.2 · RFC 8441 §4

use http::{HeaderMap, Method, header};

/// Whether a request that changes something may have been sent by a page of this origin. Neither header: no browser, or one that is old; the form's
/// own proof decides then.
pub(super) fn is_ours(headers: &HeaderMap, origin: &str) -> bool {
    let site = one(headers, "sec-fetch-site");
    let from = one(headers, header::ORIGIN.as_str());
    match (site, from) {
        (One::Twice, _) | (_, One::Twice) => false,
        // A page that sends no referrer sends no origin either; what the browser says of the site counts.
        (One::Is(site), One::Is("null")) => site == "same-origin",
        (One::Is(site), One::Is(from)) => site == "same-origin" && from == origin,
        (One::Is(site), One::Missing) => site == "same-origin",
        (One::Missing, One::Is(from)) => from == origin,
        (One::Missing, One::Missing) => true,
    }
}

/// Whether somebody opens a WebSocket, or something else that is more than one answer: by `Upgrade`, or by the extended CONNECT of HTTP/2 (RFC 8441).
pub(super) fn is_socket(method: &Method, headers: &HeaderMap) -> bool {
    let wanted = headers.get_all(header::UPGRADE).iter();
    let mut wanted = wanted.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    *method == Method::CONNECT
        || headers.contains_key(header::SEC_WEBSOCKET_KEY)
        || wanted.any(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(b"websocket"))
}

/// Whether a page of this very origin opens a WebSocket. Browsers always say which does (RFC 6455 §4.1), and it is all that they say: no script can
/// add a header.
pub(super) fn opens_own_socket(headers: &HeaderMap, origin: &str) -> bool {
    one(headers, header::ORIGIN.as_str()).is(origin)
}

/// Whether somebody follows a link on another site to here.
pub(super) fn is_link_from_outside(method: &Method, headers: &HeaderMap) -> bool {
    is_navigation(method, headers) && one(headers, "sec-fetch-site").is("cross-site")
}

/// Whether a person opens an address: what a redirect to the login is an answer to.
pub(super) fn is_navigation(method: &Method, headers: &HeaderMap) -> bool {
    matches!(*method, Method::GET | Method::HEAD) && wants_page(headers)
}

/// Whether the answer will be looked at in a window, not read by a script.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    match one(headers, "sec-fetch-mode") {
        One::Is(mode) => mode == "navigate",
        _ => {
            let accept = headers.get_all(header::ACCEPT).iter();
            let mut accept = accept.filter_map(|value| value.to_str().ok());
            accept.any(|value| value.contains("text/html")) && !headers.contains_key("x-requested-with")
        }
    }
}

enum One<'h> {
    Missing,
    Is(&'h str),
    Twice,
}

impl One<'_> {
    fn is(&self, value: &str) -> bool {
        matches!(self, Self::Is(found) if *found == value)
    }
}

fn one<'h>(headers: &'h HeaderMap, name: &str) -> One<'h> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => One::Missing,
        (Some(value), None) => One::Is(value.to_str().unwrap_or_default()),
        (Some(_), Some(_)) => One::Twice,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn ours(pairs: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        is_ours(&headers, "https://a.test")
    }

    #[test]
    fn a_websocket_is_known_by_each_of_its_signs() {
        let socket = |method: Method, pairs: &[(&'static str, &'static str)]| {
            let pairs = pairs.iter();
            let headers = pairs.map(|(name, value)| {
                let name: http::HeaderName = name.parse().unwrap();
                (name, HeaderValue::from_static(value))
            });
            is_socket(&method, &headers.collect())
        };
        for value in ["websocket", "WebSocket", "h2c, websocket", "h2c,\twebsocket "] {
            assert!(socket(Method::GET, &[("upgrade", value)]), "{value}");
        }
        assert!(socket(Method::GET, &[("sec-websocket-key", "")]));
        assert!(socket(Method::CONNECT, &[]));
        for value in ["h2c", "", "websockets"] {
            assert!(!socket(Method::GET, &[("upgrade", value)]), "{value}");
        }
    }

    #[test]
    fn ck_05_only_pages_of_this_origin_send_what_changes_something() {
        assert!(ours(&[
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://a.test")
        ]));
        assert!(ours(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(ours(&[("origin", "https://a.test")]));
        assert!(ours(&[]));
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(!ours(&[("sec-fetch-site", site)]), "{site}");
            assert!(
                !ours(&[("sec-fetch-site", site), ("origin", "https://a.test")]),
                "{site}"
            );
        }
        for origin in [
            "null",
            "https://evil.test",
            "http://a.test",
            "https://a.test.evil.test",
            "https://a.test:444",
            "",
        ] {
            assert!(!ours(&[("origin", origin)]), "{origin}");
        }
        assert!(!ours(&[
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://evil.test")
        ]));
        assert!(!ours(&[
            ("origin", "https://a.test"),
            ("origin", "https://a.test")
        ]));
    }
}
