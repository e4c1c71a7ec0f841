//! How the gateway says no: a status, a stable code, and a sentence for the developer.
//!
//! Spec: RFC 9457 · RFC 9110 §15.5

use std::fmt::Display;

use axum::response::{IntoResponse, Response};
use carnet_oauth::problem::{MEDIA_TYPE, Problem};
use http::{HeaderName, HeaderValue, StatusCode, header};

/// An answer that comes from the gateway itself. Nothing was forwarded, or nothing usable came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: StatusCode,
    code: &'static str,
    detail: &'static str,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// With this status, this stable code and this sentence.
    pub const fn new(status: StatusCode, code: &'static str, detail: &'static str) -> Self {
        Self {
            status,
            code,
            detail,
            headers: Vec::new(),
        }
    }

    /// Says this as well.
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The sentence for the developer.
    pub(crate) fn detail(&self) -> &'static str {
        self.detail
    }

    /// What the answer says besides.
    pub(crate) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

/// 405: goes out with `Allow` (RFC 9110 §15.5.6).
pub(crate) const METHOD: Refusal = Refusal::new(
    StatusCode::METHOD_NOT_ALLOWED,
    "method_not_allowed",
    "what is here does not take this method; see Allow",
);

/// The code of what [`broken`] makes.
pub(crate) const SERVER_ERROR: &str = "server_error";

/// 500: something is wrong here that no caller can mend. What it is stands in the log alone.
pub(crate) fn broken(error: impl Display) -> Refusal {
    tracing::error!(%error, "a request failed for a fault of the gateway's own");
    Refusal::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        SERVER_ERROR,
        "something is wrong here; it is in the log",
    )
}

/// The code that an answer says, for the log and the metrics.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said(pub(crate) &'static str);

/// The code that an answer says; empty when it is none of a refusal.
pub(crate) fn said(response: &Response) -> &'static str {
    response.extensions().get().map_or("", |Said(code)| code)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let words = self.status.canonical_reason().unwrap_or("Refused");
        let problem = Problem::new((self.status.as_u16(), words), self.code, self.detail);
        let body = serde_json::to_string(&problem).unwrap_or_default();
        let mut response = (
            self.status,
            [
                (header::CONTENT_TYPE, MEDIA_TYPE),
                (header::CACHE_CONTROL, "no-store"),
            ],
            body,
        )
            .into_response();
        response.headers_mut().extend(self.headers);
        response.extensions_mut().insert(Said(self.code));
        response
    }
}
