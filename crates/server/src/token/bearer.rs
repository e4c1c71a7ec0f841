//! Access tokens that come back to us: signature, claims, revocation, and whether the user still exists.
//!
//! Spec: RFC 6750 §2.1, §3.1 · RFC 9068 §4 · RFC 9449 §7.2

use std::sync::Arc;

use carnet_jose::{Accepted, Error};
use carnet_oauth::access_token::AccessTokenClaims;
use carnet_oauth::bearer::{self, BearerError, Challenge};
use carnet_store::{TokenFacts, User, UserState};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::app::App;
use crate::http::failure::{Failure, Refusal};

/// A token that may be used now, and the user behind it.
pub struct Presented {
    /// What the token says.
    pub claims: AccessTokenClaims,
    /// Whom it is about.
    pub user: User,
}

/// The caller of one of our own endpoints; refused with a challenge when there is no usable token.
pub async fn authenticate(app: &App, headers: &HeaderMap) -> Result<Presented, Failure> {
    let token = token_of(headers)?.ok_or_else(|| challenge("token_missing", Challenge::new()))?;
    match check(app, token).await? {
        Ok(presented) => Ok(presented),
        Err(rejected) => Err(refusal(rejected).into()),
    }
}

/// What a caller is told: RFC 6750 §3.1 knows one error for all of them.
pub fn refusal(rejected: Rejected) -> Refusal {
    match rejected {
        Rejected::Expired => invalid("token_expired"),
        Rejected::Revoked | Rejected::Invalid => invalid("token_invalid"),
    }
}

/// Why a token may not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// It was good once.
    Expired,
    /// It was taken back.
    Revoked,
    /// Anything else.
    Invalid,
}

/// Checks a token against our published keys, policy and what has been revoked. The outer error is ours, the inner one the token's.
///
/// Tokens of a resource with a shared secret do not count here: whoever shares the secret could make them.
pub async fn check(app: &App, token: &str) -> Result<Result<Presented, Rejected>, Failure> {
    let verified = app.verifier.verify(token, app.now_seconds());
    let claims = judge(app, verified).await?.and_then(unbound);
    with_user(app, claims).await
}

/// As [`check`], for a token that is bound to a key, or may be: whoever asks looks for the proof of that key.
pub async fn check_bound(app: &App, token: &str) -> Result<Result<Presented, Rejected>, Failure> {
    let verified = app.verifier.verify(token, app.now_seconds());
    let claims = judge(app, verified).await?;
    with_user(app, claims).await
}

/// As [`check`], but a token that was made with a shared secret counts as well.
pub async fn check_any(app: &App, token: &str) -> Result<Result<Presented, Rejected>, Failure> {
    let claims = judge(app, verify(app, token)).await?.and_then(unbound);
    with_user(app, claims).await
}

/// What a token says that may be used at its resource: a shared secret counts, and no user need stand behind it.
pub async fn inspect(app: &App, token: &str) -> Result<Result<AccessTokenClaims, Rejected>, Failure> {
    match judge(app, verify(app, token)).await? {
        Ok(claims) if is_of_client(&claims) => Ok(Ok(claims)),
        other => Ok(with_user(app, other).await?.map(|presented| presented.claims)),
    }
}

/// RFC 9449 §7.2: a token that is bound to a key is worth nothing by itself.
fn unbound(claims: AccessTokenClaims) -> Result<AccessTokenClaims, Rejected> {
    match claims.cnf {
        None => Ok(claims),
        Some(_) => {
            tracing::info!("an access token that is bound to a key came as a bearer token");
            Err(Rejected::Invalid)
        }
    }
}

async fn with_user(
    app: &App,
    claims: Result<AccessTokenClaims, Rejected>,
) -> Result<Result<Presented, Rejected>, Failure> {
    let claims = match claims {
        Ok(claims) if is_of_client(&claims) => return Ok(Err(Rejected::Invalid)),
        Ok(claims) => claims,
        Err(rejected) => return Ok(Err(rejected)),
    };
    let user = app.store.user_by_sub(&claims.sub).await?;
    let active = user.filter(|user| user.state == UserState::Active);
    Ok(active
        .map(|user| Presented { claims, user })
        .ok_or(Rejected::Invalid))
}

/// No user stands behind a token that a client got for itself (RFC 9068 §5). The names of users are ours, and long.
fn is_of_client(claims: &AccessTokenClaims) -> bool {
    claims.sub == claims.client_id && claims.sid.is_none()
}

/// Signature, claims, and whether it was taken back.
async fn judge(
    app: &App,
    verified: Result<Known, Error>,
) -> Result<Result<AccessTokenClaims, Rejected>, Failure> {
    let verified = match verified {
        Ok(verified) => verified,
        Err(Error::Expired) => return Ok(Err(Rejected::Expired)),
        Err(error) => {
            tracing::debug!(code = error.code(), "an access token was refused");
            return Ok(Err(Rejected::Invalid));
        }
    };
    let Accepted { claims, key_id, .. } = verified.as_ref();
    // RFC 7662 §2.2: not past its end. What another node has just made may seem to come from the future; its end is no matter of two clocks.
    if claims.exp <= app.now_seconds() {
        return Ok(Err(Rejected::Expired));
    }
    let facts = TokenFacts {
        jti: claims.jti.clone(),
        sid: claims.sid.clone(),
        fam: claims.fam.clone(),
        sub: claims.sub.clone(),
        client_id: claims.client_id.clone(),
        kid: key_id.as_deref().map(str::to_owned),
        iat: i64::try_from(claims.iat).unwrap_or(i64::MAX),
    };
    if app.store.is_revoked(&facts).await? {
        return Ok(Err(Rejected::Revoked));
    }
    // A client that was disabled is nobody any more, whatever was on its way meanwhile.
    let client_id = &claims.client_id;
    let known =
        app.directory.login_client(Some(client_id)).is_some() || app.client(client_id).await?.is_some();
    Ok(known.then(|| claims.clone()).ok_or(Rejected::Invalid))
}

/// The token of the `Authorization` header; `None` without one, refused when it is malformed or there are two.
pub fn token_of(headers: &HeaderMap) -> Result<Option<&str>, Failure> {
    token_by(headers, "Bearer")
}

/// As [`token_of`], with another scheme than `Bearer`.
pub fn token_by<'h>(headers: &'h HeaderMap, scheme: &str) -> Result<Option<&'h str>, Failure> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    match text.map(|text| bearer::token_by(text, scheme)) {
        Some(Ok(token)) => Ok(Some(token)),
        Some(Err(BearerError::OtherScheme)) => Ok(None),
        Some(Err(BearerError::Malformed)) | None => {
            const REASON: &str = "send one Authorization header: the scheme, a space, the token";
            let challenge = Challenge::new().error("invalid_request", REASON);
            Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_request", REASON)
                .header(header::WWW_AUTHENTICATE, value_of(&challenge))
                .into())
        }
    }
}

/// What a token says whose signature is right.
type Known = Arc<Accepted<AccessTokenClaims>>;

fn verify(app: &App, token: &str) -> Result<Known, Error> {
    let now = app.now_seconds();
    let published = app.verifier.verify(token, now);
    if !matches!(published, Err(Error::AlgorithmNotAllowed)) {
        return published;
    }
    // A MAC: only the resource that shares the secret can be meant, and its verifier asks for its audience.
    let shared = app
        .directory
        .resources()
        .iter()
        .filter_map(|resource| resource.shared.as_ref());
    let mut last = Error::AlgorithmNotAllowed;
    for secret in shared {
        match secret.verifier.verify_owned::<AccessTokenClaims>(token, now) {
            Ok(verified) => return Ok(Arc::new(verified.into())),
            Err(error @ Error::Expired) => last = error,
            Err(_) => {}
        }
    }
    Err(last)
}

/// The token lacks a scope (RFC 6750 §3.1).
pub fn insufficient_scope(scope: &'static str) -> Refusal {
    const REASON: &str = "the access token is good, but lacks the scope that this needs";
    let challenge = Challenge::new().error("insufficient_scope", REASON).scope(scope);
    Refusal::new(StatusCode::FORBIDDEN, "insufficient_scope", REASON)
        .header(header::WWW_AUTHENTICATE, value_of(&challenge))
}

/// The token is none that counts here, for a reason that the caller can do something about.
pub fn invalid_because(reason: &'static str) -> Refusal {
    let challenge = Challenge::new().error("invalid_token", reason);
    Refusal::new(StatusCode::UNAUTHORIZED, "token_invalid", reason)
        .header(header::WWW_AUTHENTICATE, value_of(&challenge))
}

fn invalid(code: &'static str) -> Refusal {
    let reason = reason(code);
    challenge(code, Challenge::new().error("invalid_token", reason))
}

fn challenge(code: &'static str, challenge: Challenge) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, code, reason(code))
        .header(header::WWW_AUTHENTICATE, value_of(&challenge))
}

/// What a caller is told of a token that does not count.
pub(super) fn reason(code: &str) -> &'static str {
    match code {
        "token_missing" => "send an access token: Authorization: Bearer",
        "token_expired" => "the access token has expired; refresh it",
        _ => "the access token is not valid here",
    }
}

fn value_of(challenge: &Challenge) -> HeaderValue {
    HeaderValue::from_str(&challenge.to_string()).unwrap_or(HeaderValue::from_static("Bearer"))
}
