//! Where an answer ends: in one place, or nobody gets it.
//!
//! Spec: RFC 9112 §6.3

use http::{HeaderMap, HeaderValue, header};

/// Whether an answer ends in one place (RFC 9112 §6.3). A length that is said twice is said once then.
pub(super) fn is_clear(headers: &mut HeaderMap) -> bool {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let length = lengths.next().cloned();
    let digits =
        |length: &HeaderValue| !length.is_empty() && length.as_bytes().iter().all(u8::is_ascii_digit);
    let same = length.as_ref().is_none_or(digits) && lengths.all(|other| Some(other) == length.as_ref());
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let coding = codings.next();
    let chunked = coding.is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    let both = coding.is_some() && length.is_some();
    let clear = same && chunked && !both && codings.next().is_none();
    if let Some(length) = length.filter(|_| clear) {
        headers.insert(header::CONTENT_LENGTH, length);
    }
    clear
}
