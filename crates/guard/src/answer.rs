//! The answer to a caller who is refused: status, challenges, and a body that says why; to gRPC in gRPC's own way.
//!
//! Spec: RFC 6750 §3 · RFC 9457 · RFC 9110 §10.2.3 (Retry-After)

use std::sync::Arc;

use bytes::Bytes;
use carnet_oauth::problem::{MEDIA_TYPE, Problem};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::challenge::Refused;

/// A caller who is known, and may not do this. Carries what the challenge of this API names.
#[derive(Clone, Debug)]
pub struct Denied {
    refused: Refused,
    metadata: Option<Arc<str>>,
}

impl Denied {
    pub(crate) fn new(refused: Refused, metadata: Option<Arc<str>>) -> Self {
        Self { refused, metadata }
    }

    /// Why, as far as the caller may know.
    pub fn refused(&self) -> &Refused {
        &self.refused
    }

    /// The answer to a request with these headers.
    pub fn answer(&self, request: &HeaderMap) -> Response<Bytes> {
        answer(&self.refused, self.metadata.as_deref(), request)
    }
}

impl std::fmt::Display for Denied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.refused.detail())
    }
}

impl std::error::Error for Denied {}

/// Why it is what it is, in the extensions of an answer: for a layer further out that has a better one for people.
#[cfg(feature = "axum")]
#[derive(Clone, Debug)]
pub(crate) struct Because(pub(crate) Refused);

/// The answer to a request with these headers; `metadata` is the URL of this API's metadata (RFC 9728).
pub(crate) fn answer(refused: &Refused, metadata: Option<&str>, request: &HeaderMap) -> Response<Bytes> {
    let mut response = match is_grpc(request) {
        true => by_grpc(refused),
        false => by_http(refused),
    };
    #[cfg(feature = "axum")]
    response.extensions_mut().insert(Because(refused.clone()));
    let headers = response.headers_mut();
    for challenge in refused.challenges(metadata) {
        if let Ok(value) = HeaderValue::from_str(&challenge.to_string()) {
            headers.append(header::WWW_AUTHENTICATE, value);
        }
    }
    if *refused == Refused::Unavailable {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

fn by_http(refused: &Refused) -> Response<Bytes> {
    let status = refused.status();
    let words = status.canonical_reason().unwrap_or("Refused");
    let problem = Problem::new((status.as_u16(), words), refused.code(), refused.detail());
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// "Trailers-Only": HTTP 200 and no body; what would stand in trailers stands in the headers.
fn by_grpc(refused: &Refused) -> Response<Bytes> {
    let code = match refused.status() {
        StatusCode::FORBIDDEN => "7",
        StatusCode::SERVICE_UNAVAILABLE => "14",
        StatusCode::BAD_REQUEST => "3",
        _ => "16",
    };
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from_static(code));
    // Plain ASCII without a percent sign: nothing in it needs the percent-encoding of gRPC.
    headers.insert("grpc-message", HeaderValue::from_static(refused.detail()));
    response
}

/// Whether a request speaks gRPC: `application/grpc`, alone or with a message format.
fn is_grpc(request: &HeaderMap) -> bool {
    let Some(value) = request.get(header::CONTENT_TYPE) else {
        return false;
    };
    match value.as_bytes().strip_prefix(b"application/grpc") {
        Some(rest) => matches!(rest.first(), None | Some(b'+' | b';')),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_is_known_by_its_media_type() {
        for (value, grpc) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;x=y", true),
            ("application/grpc-web", false),
            ("application/grpc-web+proto", false),
            ("application/json", false),
            ("text/application/grpc", false),
        ] {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(value))]);
            assert_eq!(is_grpc(&headers), grpc, "{value}");
        }
    }

    #[test]
    fn what_grpc_is_told_needs_no_encoding() {
        for refused in [
            Refused::TokenMissing,
            Refused::CallerMissing,
            Refused::CallerNotBelieved,
            Refused::CallerUnclear,
            Refused::Malformed,
            Refused::ProofInvalid,
            Refused::TokenExpired,
            Refused::TokenRevoked,
            Refused::TokenInvalid,
            Refused::StepUp(crate::challenge::StepUp::default()),
            Refused::InsufficientScope(None),
            Refused::Unavailable,
        ] {
            let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'%';
            assert!(refused.detail().bytes().all(plain), "{refused:?}");
        }
    }
}
