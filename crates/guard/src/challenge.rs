//! How a caller is refused: status, challenge, and a body that says why.
//!
//! Spec: RFC 6750 §3 · RFC 9457

use axum::response::{IntoResponse, Response};
use carnet_oauth::bearer::Challenge;
use carnet_oauth::problem::{MEDIA_TYPE, Problem};
use http::{HeaderValue, StatusCode, header};

/// Why a request is not let through.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// 401: there is no token (§3.1: no error code then).
    TokenMissing,
    /// 400: two tokens, or a header that is not `Bearer` and one token.
    Malformed,
    /// 401: the token was good once.
    TokenExpired,
    /// 401: the token is not valid here. Which check it failed stands in the log alone.
    TokenInvalid,
    /// 403: the token is good but does not permit this. Names the scope that would, when it is one.
    InsufficientScope(Option<String>),
    /// 503: the keys were never loaded, or the authorization server must be asked and does not answer.
    Unavailable,
}

impl Refused {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TokenMissing => "token_missing",
            Self::Malformed => "invalid_request",
            Self::TokenExpired => "token_expired",
            Self::TokenInvalid => "token_invalid",
            Self::InsufficientScope(_) => "insufficient_scope",
            Self::Unavailable => "temporarily_unavailable",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::TokenMissing | Self::TokenExpired | Self::TokenInvalid => StatusCode::UNAUTHORIZED,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::InsufficientScope(_) => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn detail(&self) -> &'static str {
        match self {
            Self::TokenMissing => "send an access token: Authorization: Bearer",
            Self::Malformed => "send one Authorization header: Bearer, a space, the token",
            Self::TokenExpired => "the access token has expired; refresh it",
            Self::TokenInvalid => "the access token is not valid here",
            Self::InsufficientScope(_) => "the access token does not permit this",
            Self::Unavailable => {
                "tokens cannot be checked at the moment; come back after the time in Retry-After"
            }
        }
    }

    fn challenge(&self) -> Option<Challenge> {
        match self {
            Self::TokenMissing => Some(Challenge::new()),
            Self::Malformed => Some(Challenge::new().error("invalid_request", self.detail())),
            Self::TokenExpired | Self::TokenInvalid => {
                Some(Challenge::new().error("invalid_token", self.detail()))
            }
            Self::InsufficientScope(needed) => {
                let challenge = Challenge::new().error("insufficient_scope", self.detail());
                Some(
                    needed
                        .iter()
                        .fold(challenge, |challenge, scope| challenge.scope(scope)),
                )
            }
            Self::Unavailable => None,
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = self.status();
        let words = status.canonical_reason().unwrap_or("Refused");
        let problem = Problem::new((status.as_u16(), words), self.code(), self.detail());
        let body = serde_json::to_string(&problem).unwrap_or_default();
        let mut response = (
            status,
            [
                (header::CONTENT_TYPE, MEDIA_TYPE),
                (header::CACHE_CONTROL, "no-store"),
            ],
            body,
        )
            .into_response();
        let headers = response.headers_mut();
        if let Some(value) = self
            .challenge()
            .and_then(|challenge| HeaderValue::from_str(&challenge.to_string()).ok())
        {
            headers.insert(header::WWW_AUTHENTICATE, value);
        }
        if self == Self::Unavailable {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}
