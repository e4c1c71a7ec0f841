//! What is wrong with what a client says of itself, in words that help whoever wrote the client.
//!
//! Spec: RFC 7591 §3.2.2 · RFC 6749 §5.2 (characters of a description)

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use carnet_oauth::error_code::ErrorCode;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::http::failure::Noted;

/// A member that cannot be registered, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    code: ErrorCode,
    member: &'static str,
    what: &'static str,
}

impl Flaw {
    /// A member of the metadata.
    pub(super) fn of(member: &'static str, what: &'static str) -> Self {
        Self {
            code: ErrorCode::InvalidClientMetadata,
            member,
            what,
        }
    }

    /// A redirect URI, also one for after a logout.
    pub(super) fn of_redirect(member: &'static str, what: &'static str) -> Self {
        Self {
            code: ErrorCode::InvalidRedirectUri,
            ..Self::of(member, what)
        }
    }

    /// A software statement.
    pub(super) fn of_statement(code: ErrorCode, what: &'static str) -> Self {
        Self {
            code,
            ..Self::of("software_statement", what)
        }
    }

    pub(super) fn into_response(self) -> Response {
        // RFC 6749 §5.2 lets a description have printable ASCII without quote and backslash.
        let reason = format!("{}: {}", self.member, self.what)
            .replace('§', "section ")
            .replace('"', "'");
        let body = json!({ "error": self.code.name(), "error_description": reason });
        let mut response = (StatusCode::BAD_REQUEST, Json(body)).into_response();
        let no_store = HeaderValue::from_static("no-store");
        response.headers_mut().insert(header::CACHE_CONTROL, no_store);
        response.extensions_mut().insert(Noted {
            code: self.code.name(),
            reason,
        });
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_description_has_the_characters_that_it_may_have() {
        let flaw = Flaw::of("grant_types", "names \"x\" (RFC 7591 §2.1)");
        let body = axum::body::to_bytes(flaw.into_response().into_body(), 1_000).await;
        let body: serde_json::Value = serde_json::from_slice(&body.unwrap()).unwrap();
        let said = body["error_description"].as_str().unwrap();
        assert_eq!(said, "grant_types: names 'x' (RFC 7591 section 2.1)");
    }
}
