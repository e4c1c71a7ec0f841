//! What a request tells of its way: through whom it went, and how far it may still go.
//!
//! Spec: RFC 9110 §7.6.2 (Max-Forwards), §7.6.3 (Via)

use http::header::{HeaderMap, HeaderValue, MAX_FORWARDS, VIA};
use http::request::Parts;
use http::{Method, Version};

/// Says to the service that a request came through us, and in which version it came here.
pub(crate) fn sign(headers: &mut HeaderMap, version: Version) {
    let words = match version {
        Version::HTTP_10 => "1.0 carnet",
        Version::HTTP_2 => "2.0 carnet",
        _ => "1.1 carnet",
    };
    headers.append(VIA, HeaderValue::from_static(words));
}

/// Whether a request is for whoever has it now, which are we. From one that may go on this hop is taken off.
pub(crate) fn is_last(head: &mut Parts) -> bool {
    // TRACE, of which it is said as well, is not forwarded at all.
    let counts = head.method == Method::OPTIONS;
    let Some(hops) = head.headers.get_mut(MAX_FORWARDS).filter(|_| counts) else {
        return false;
    };
    // Of a larger number, and of what is none, the largest that we know is left.
    let left: u8 = hops
        .to_str()
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(u8::MAX);
    match left.checked_sub(1) {
        Some(left) => *hops = HeaderValue::from(u16::from(left)),
        None => return true,
    }
    false
}
