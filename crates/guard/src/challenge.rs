//! How a caller is refused: status, challenge, and a body that says why.
//!
//! Spec: RFC 6750 §3 · RFC 9449 §7.1 · RFC 9457

use axum::response::{IntoResponse, Response};
use carnet_oauth::bearer::Challenge;
use carnet_oauth::dpop::{self, SCHEME};
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
    /// 401: the token is bound to a key, and there is no DPoP proof of it that is for this request and this token.
    ProofInvalid,
    /// 401: the token was good once.
    TokenExpired,
    /// 401: the token is not valid here. Which check it failed stands in the log alone.
    TokenInvalid,
    /// 403: the token is good but does not permit this. Names the scope that would, when it is one.
    InsufficientScope(Option<String>),
    /// 503: the keys were never loaded, the authorization server must be asked and does not answer, or more proofs come than can be
    /// remembered.
    Unavailable,
}

/// A refusal, and what the log alone says of it.
pub(crate) struct Denial {
    pub(crate) refused: Refused,
    pub(crate) reason: &'static str,
}

impl Refused {
    pub(crate) fn because(self, reason: &'static str) -> Denial {
        Denial {
            refused: self,
            reason,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TokenMissing => "token_missing",
            Self::Malformed => "invalid_request",
            Self::ProofInvalid => "invalid_dpop_proof",
            Self::TokenExpired => "token_expired",
            Self::TokenInvalid => "token_invalid",
            Self::InsufficientScope(_) => "insufficient_scope",
            Self::Unavailable => "temporarily_unavailable",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::TokenMissing | Self::ProofInvalid | Self::TokenExpired | Self::TokenInvalid => {
                StatusCode::UNAUTHORIZED
            }
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::InsufficientScope(_) => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn detail(&self) -> &'static str {
        match self {
            Self::TokenMissing => "send an access token: Authorization: Bearer",
            Self::Malformed => "send one Authorization header: the scheme, a space, the token",
            Self::ProofInvalid => {
                "a token that is bound to a key needs a DPoP proof of that key, made now for this request and this token"
            }
            Self::TokenExpired => "the access token has expired; refresh it",
            Self::TokenInvalid => "the access token is not valid here",
            Self::InsufficientScope(_) => "the access token does not permit this",
            Self::Unavailable => {
                "tokens cannot be checked at the moment; come back after the time in Retry-After"
            }
        }
    }

    /// One for each scheme that would do (RFC 9449 §7.1, §7.2).
    fn challenges(&self) -> Vec<Challenge> {
        let error = match self {
            Self::TokenMissing => None,
            Self::Malformed => Some("invalid_request"),
            Self::ProofInvalid => Some("invalid_dpop_proof"),
            Self::TokenExpired | Self::TokenInvalid => Some("invalid_token"),
            Self::InsufficientScope(_) => Some("insufficient_scope"),
            Self::Unavailable => return Vec::new(),
        };
        let schemes: &[_] = match self {
            Self::ProofInvalid => &[SCHEME],
            _ => &["Bearer", SCHEME],
        };
        let challenges = schemes.iter().map(|scheme| {
            let mut challenge = Challenge::by(scheme);
            if let Some(error) = error {
                challenge = challenge.error(error, self.detail());
            }
            if let Self::InsufficientScope(Some(needed)) = self {
                challenge = challenge.scope(needed);
            }
            match *scheme == SCHEME {
                true => challenge.parameter("algs", &dpop::algorithm_names().join(" ")),
                false => challenge,
            }
        });
        challenges.collect()
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
        for challenge in self.challenges() {
            if let Ok(value) = HeaderValue::from_str(&challenge.to_string()) {
                headers.append(header::WWW_AUTHENTICATE, value);
            }
        }
        if self == Self::Unavailable {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}
