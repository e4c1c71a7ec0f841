//! The tokens of a session.
//!
//! Spec: RFC 6749 §1.4, §1.5 · OpenID Connect Core §12.2

use carnet_oauth::token_response::TokenResponse;

use crate::auth::Auth;

/// What a refresh replaces.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) access: Option<Access>,
    pub(super) refresh: Option<String>,
    pub(super) id_token: Option<String>,
}

#[derive(Clone)]
pub(super) struct Access {
    pub(super) token: String,
    /// Seconds since 1970: from then on it is time for the next.
    pub(super) renew_at: u64,
    pub(super) expires: u64,
}

impl Held {
    /// Those of a login.
    pub(super) fn begin(tokens: &TokenResponse, auth: &Auth) -> Self {
        Self {
            access: Some(Access::of(tokens, auth)),
            refresh: tokens.refresh_token.clone(),
            id_token: tokens.id_token.clone(),
        }
    }

    /// What these have led to, with the ID token that is to be kept.
    pub(super) fn renewed(&self, tokens: &TokenResponse, auth: &Auth, id_token: Option<String>) -> Self {
        Self {
            access: Some(Access::of(tokens, auth)),
            refresh: tokens.refresh_token.clone().or_else(|| self.refresh.clone()),
            id_token: id_token.or_else(|| self.id_token.clone()),
        }
    }

    /// Whether the access token lives longer than that of the others.
    pub(super) fn is_newer_than(&self, other: &Self) -> bool {
        let end = |held: &Self| held.access.as_ref().map(|access| access.expires);
        end(self) > end(other)
    }
}

impl Access {
    fn of(tokens: &TokenResponse, auth: &Auth) -> Self {
        let expires = auth.expires().unwrap_or_default();
        let issued = auth.claim("iat").and_then(|iat| iat.as_u64());
        let life = expires.saturating_sub(issued.unwrap_or(expires));
        Self {
            token: tokens.access_token.clone(),
            // A little before its end, so that a handler can still use it.
            renew_at: expires.saturating_sub((life / 10).min(MOST_EARLY_SECONDS)),
            expires,
        }
    }
}

const MOST_EARLY_SECONDS: u64 = 10;
