//! `POST /oauth/register`: a client of its own word.
//!
//! Spec: RFC 7591 §3, §5 · RFC 9700 §4.15

use axum::extract::State;
use axum::response::Response;
use carnet_jose::{base64url, primitive};
use carnet_oauth::error_code::ErrorCode;
use carnet_store::{AuditAction, NewRegistration, StoreError};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

use super::answer::Told;
use super::flaw::Flaw;
use super::request::{self, Body, Wanted};
use crate::app::App;
use crate::audit::Caller;
use crate::config::ClientRegistrationPolicy;
use crate::http::failure::{Because as _, Failure, Refusal};
use crate::throttle::Attempt;
use crate::token::code::random_secret;

/// Know who lets the client in, hold its word against the policy, register it.
pub(super) async fn register(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let policy = app.config.client_registration.policy;
    if policy == ClientRegistrationPolicy::Closed {
        return Err(closed().into());
    }
    Attempt::client_registration(&app, caller.address)?
        .count(&app)
        .await?;
    let invited = match policy {
        ClientRegistrationPolicy::InitialAccessToken => Some(invitation(&app, &headers).await?),
        ClientRegistrationPolicy::Open | ClientRegistrationPolicy::Closed => None,
    };
    let object = match object(body)? {
        Ok(object) => object,
        Err(flaw) => return Ok(flaw.into_response()),
    };
    let wanted = match request::read(&app, &random_name()?, object) {
        Ok(wanted) => wanted,
        Err(flaw) => return Ok(flaw.into_response()),
    };
    keep(&app, (&caller, &headers), wanted, invited).await
}

/// An initial access token that counts: its name, and its digest.
type Invitation = (String, [u8; 32]);

async fn invitation(app: &App, headers: &HeaderMap) -> Result<Invitation, Failure> {
    let token = bearer(headers).ok_or_else(|| uninvited(headers))?;
    let digest = primitive::sha256(token.as_bytes());
    let name = app.store.initial_access_token(digest, app.now()).await?;
    Ok((name.ok_or_else(|| uninvited(headers))?, digest))
}

async fn keep(
    app: &App,
    (caller, headers): (&Caller, &HeaderMap),
    wanted: Wanted,
    invited: Option<Invitation>,
) -> Result<Response, Failure> {
    let Wanted { client, said } = wanted;
    let token = random_secret()?;
    let secret = client.auth_method.has_secret().then(random_secret).transpose()?;
    let (by, initial_digest) = invited.map_or((String::new(), None), |(name, digest)| (name, Some(digest)));
    let new = NewRegistration {
        client_id: client.id.clone(),
        settings: serde_json::to_string(&client).map_err(Failure::broken)?,
        metadata: serde_json::to_string(&said).map_err(Failure::broken)?,
        secret: secret.as_ref().map(|secret| primitive::sha256(secret.as_bytes())),
        registration_digest: primitive::sha256(token.as_bytes()),
        initial_digest,
    };
    let now = app.now();
    let audit = caller.did(&by, AuditAction::ClientRegister, &client.id);
    let most = i64::from(app.config.client_registration.max_clients);
    let kept = app.store.register_client(&new, most, (now, &audit)).await;
    kept.map_err(|error| match error {
        // Somebody else has used it up in this very moment.
        StoreError::Conflict("initial_access_token_spent") => uninvited(headers).into(),
        StoreError::Conflict("too_many_clients") => full().into(),
        other => Failure::from(other),
    })?;
    let told = Told {
        app,
        client: &client,
        said,
        since: now,
        secret: secret.as_deref().map(|secret| (secret, None)),
        token: &token,
    };
    Ok(told.with_status(StatusCode::CREATED))
}

/// The object of a body. One that is none is told in the form that RFC 7591 §3.2.2 gives.
pub(super) fn object(body: Body) -> Result<Result<Map<String, Value>, Flaw>, Failure> {
    match body {
        Ok(json) => Ok(Ok(json.0)),
        Err(Failure::Refused(refusal)) if refusal.status() == StatusCode::BAD_REQUEST => {
            Ok(Err(Flaw::of("metadata", refusal.reason())))
        }
        Err(other) => Err(other),
    }
}

/// The bearer token of a request (RFC 6750 §2.1).
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    match values.next() {
        None => carnet_oauth::bearer::token(value).ok(),
        Some(_) => None,
    }
}

/// RFC 6750 §3.1, in the words of an OAuth endpoint. Who has shown no token is not told that it is a wrong one.
pub(super) fn unauthorized(headers: &HeaderMap, reason: &'static str) -> Refusal {
    let shown = headers.get_all(header::AUTHORIZATION).iter();
    let is_bearer = |value: &HeaderValue| {
        let scheme = value.as_bytes().split(|byte| *byte == b' ').next();
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"Bearer"))
    };
    let challenge = match shown.into_iter().any(is_bearer) {
        true => "Bearer error=\"invalid_token\"",
        false => "Bearer",
    };
    ErrorCode::InvalidToken
        .because(reason)
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

/// Nobody registers clients here but the operator.
pub(super) fn closed() -> Refusal {
    const REASON: &str = "clients are registered by the operator";
    Refusal::new(StatusCode::FORBIDDEN, "client_registration_closed", REASON)
}

/// The same for every token that does not count, and for none.
fn uninvited(headers: &HeaderMap) -> Refusal {
    unauthorized(
        headers,
        "an initial access token that counts is needed to register a client",
    )
}

fn full() -> Refusal {
    const REASON: &str = "as many clients have registered themselves as the operator allows";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_clients", REASON).retry_after(3_600)
}

/// A name of 192 random bits: no user's, and never drawn twice.
fn random_name() -> Result<String, Failure> {
    let mut bytes = [0; 24];
    primitive::fill_random(&mut bytes).map_err(Failure::broken)?;
    Ok(base64url::encode(&bytes))
}
