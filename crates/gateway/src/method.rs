//! Methods are case-sensitive: what is a known one but for its case is none, since many services read the two alike.
//!
//! Spec: RFC 9110 §9.1

use http::{Method, StatusCode};

use crate::refusal::Refusal;

/// Whether a method is a known one but for its case.
pub(crate) fn is_none(method: &Method) -> bool {
    KNOWN.iter().any(|known| is_misspelt(method, known))
}

/// CONNECT forwards no path, and TRACE sends back what it is shown (§9.3.6, §9.3.8).
pub(crate) fn is_never_passed(method: &Method) -> bool {
    matches!(*method, Method::CONNECT | Method::TRACE)
}

/// Whether it is this one but for its case: a rule for the one must not be passed by the other.
pub(crate) fn is_misspelt(method: &Method, known: &Method) -> bool {
    method != known && method.as_str().eq_ignore_ascii_case(known.as_str())
}

/// Those of RFC 9110 §9.3 and RFC 5789.
static KNOWN: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::CONNECT,
    Method::OPTIONS,
    Method::TRACE,
    Method::PATCH,
];

pub(crate) const MISSPELT: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "method_invalid",
    "methods are case-sensitive, and this is a known one in another case",
);
