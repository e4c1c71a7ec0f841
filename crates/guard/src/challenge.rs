//! Why a caller is refused, and the challenge that says what would do.
//!
//! Spec: RFC 6750 §3 · RFC 9449 §7.1 · RFC 9470 §3 (step-up) · RFC 9728 §5.1 (resource_metadata)

use carnet_oauth::bearer::Challenge;
use carnet_oauth::dpop::{self, SCHEME};
use http::StatusCode;

/// Why a request is not let through.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// 401: there is no token (§3.1: no error code then).
    TokenMissing,
    /// 401: behind a gateway, nothing says who asks.
    CallerMissing,
    /// 401: what says who asks is not the gateway's word, or not for this service. Why stands in the log alone.
    CallerNotBelieved,
    /// 400: behind a gateway, who asks is said twice, or in a way that cannot be read.
    CallerUnclear,
    /// 400: two tokens, or a header that is not `Bearer` and one token.
    Malformed,
    /// 401: the token is bound to a key, and there is no DPoP proof of it that is for this request and this token.
    ProofInvalid,
    /// 401: the token was good once.
    TokenExpired,
    /// 401: the token was good once, and its issuer has taken it back. The caller is told no more than of any other that is not valid.
    TokenRevoked,
    /// 401: the token is not valid here. Which check it failed stands in the log alone.
    TokenInvalid,
    /// 401: the token is good, but the user must log in anew or by another method first (RFC 9470 §3).
    StepUp(StepUp),
    /// 403: the token is good but does not permit this. Names the scope that would, when it is one.
    InsufficientScope(Option<String>),
    /// 503: the keys were never loaded, the authorization server must be asked and does not answer, or more proofs come than can be
    /// remembered.
    Unavailable,
}

/// How the user must have logged in: what a client asks the authorization server for (RFC 9470 §4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepUp {
    /// The values of `acr` of which one would do, the preferred first; empty: any.
    pub acr_values: Vec<String>,
    /// How long ago the login may be at most, in seconds; `None`: any time.
    pub max_age: Option<u64>,
}

/// A refusal, and what the log alone says of it.
#[derive(Debug)]
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
            Self::CallerMissing => "caller_missing",
            Self::CallerNotBelieved => "caller_not_believed",
            Self::CallerUnclear => "caller_unclear",
            Self::Malformed => "invalid_request",
            Self::ProofInvalid => "invalid_dpop_proof",
            Self::TokenExpired => "token_expired",
            Self::TokenRevoked | Self::TokenInvalid => "token_invalid",
            Self::StepUp(_) => "insufficient_user_authentication",
            Self::InsufficientScope(_) => "insufficient_scope",
            Self::Unavailable => "temporarily_unavailable",
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TokenMissing
            | Self::CallerMissing
            | Self::CallerNotBelieved
            | Self::ProofInvalid
            | Self::TokenExpired
            | Self::TokenRevoked
            | Self::TokenInvalid
            | Self::StepUp(_) => StatusCode::UNAUTHORIZED,
            Self::Malformed | Self::CallerUnclear => StatusCode::BAD_REQUEST,
            Self::InsufficientScope(_) => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What the caller is told, in English.
    pub fn detail(&self) -> &'static str {
        match self {
            Self::TokenMissing => "send an access token: Authorization: Bearer",
            Self::CallerMissing => {
                "ask through the gateway of this service: it says who asks, and nothing says so here"
            }
            Self::CallerNotBelieved => {
                "ask through the gateway of this service: what says who asks is not its word, or not for here"
            }
            Self::CallerUnclear => "who asks is said twice, or in a way that cannot be read",
            Self::Malformed => "send one Authorization header: the scheme, a space, the token",
            Self::ProofInvalid => {
                "a token that is bound to a key needs a DPoP proof of that key, made now for this request and this token"
            }
            Self::TokenExpired => "the access token has expired; refresh it",
            Self::TokenRevoked | Self::TokenInvalid => "the access token is not valid here",
            Self::StepUp(_) => "the user must log in again for this, in the way that the challenge names",
            Self::InsufficientScope(_) => "the access token does not permit this",
            Self::Unavailable => {
                "tokens cannot be checked at the moment; come back after the time in Retry-After"
            }
        }
    }

    /// One for each scheme that would do (RFC 9449 §7.1, §7.2); each names the metadata of this API, where it publishes one (RFC 9728 §5.1).
    pub(crate) fn challenges(&self, metadata: Option<&str>) -> Vec<Challenge> {
        let error = match self {
            Self::TokenMissing => None,
            // No client can do anything about it: to get another token, or to log in again, would be of no use.
            Self::CallerMissing => return vec![Challenge::by(GATEWAY)],
            Self::CallerNotBelieved => return vec![Challenge::by(GATEWAY).error(self.code(), self.detail())],
            Self::CallerUnclear => return Vec::new(),
            Self::Malformed => Some("invalid_request"),
            Self::ProofInvalid => Some("invalid_dpop_proof"),
            Self::TokenExpired | Self::TokenRevoked | Self::TokenInvalid => Some("invalid_token"),
            Self::StepUp(_) => Some("insufficient_user_authentication"),
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
            challenge = self.name_what_would_do(challenge);
            if let Some(url) = metadata {
                challenge = challenge.parameter("resource_metadata", url);
            }
            match *scheme == SCHEME {
                true => challenge.parameter("algs", &dpop::algorithm_names().join(" ")),
                false => challenge,
            }
        });
        challenges.collect()
    }

    fn name_what_would_do(&self, challenge: Challenge) -> Challenge {
        match self {
            Self::InsufficientScope(Some(needed)) => challenge.scope(needed),
            Self::StepUp(step_up) => {
                let challenge = match step_up.acr_values.is_empty() {
                    true => challenge,
                    false => challenge.parameter("acr_values", &step_up.acr_values.join(" ")),
                };
                match step_up.max_age {
                    Some(seconds) => challenge.parameter("max_age", &seconds.to_string()),
                    None => challenge,
                }
            }
            _ => challenge,
        }
    }
}

/// RFC 9110 §15.5.2 asks for a challenge with each 401. There is no scheme for this one: clients do not know it, and let it be.
const GATEWAY: &str = "Gateway";
