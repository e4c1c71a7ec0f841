//! `POST /auth/refresh`: the newest refresh token for a fresh access token and the next refresh token.
//!
//! Spec: RFC 6749 §6 · RFC 9700 §4.14.2

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use carnet_oauth::scope::ScopeSet;
use carnet_store::{Family, FamilyRecord, Rotated};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use super::answer;
use crate::app::App;
use crate::audit::Caller;
use crate::client::Client;
use crate::config::RefreshTokenIn;
use crate::http::cookie;
use crate::http::failure::{Failure, Refusal};
use crate::http::json::OptionalJson;
use crate::token::granted::Granted;
use crate::token::login;
use crate::token::rotation;

/// The body of a refresh; browsers send none.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RefreshRequest {
    refresh_token: Option<String>,
    scope: Option<String>,
}

pub(super) async fn refresh(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    OptionalJson(request): OptionalJson<RefreshRequest>,
) -> Result<Response, Failure> {
    let outcome = rotate(&app, &caller, &headers, &request).await;
    match outcome {
        // A token that can never work again must not come back with every request.
        Err(Failure::Refused(refusal)) if refusal.code().starts_with("refresh_token_") => {
            let mut response = refusal.into_response();
            answer::clear_refresh_cookie(&app, &mut response)?;
            Ok(response)
        }
        other => other,
    }
}

async fn rotate(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    request: &RefreshRequest,
) -> Result<Response, Failure> {
    let (text, way) = presented(app, headers, request.refresh_token.as_deref())?
        .ok_or_else(|| refused("refresh_token_missing", "there is no refresh token, log in"))?;
    let (token, record, access) = rotation::look(app, text).await?.ok_or_else(invalid)?;
    // Everything is checked before any state moves.
    let FamilyRecord {
        family,
        user,
        auth_time,
        ..
    } = record;
    let client = app
        .directory
        .login_client(Some(&family.client_id))
        .filter(|client| client.refresh_token_in == way && client.audiences.contains(&family.audience))
        .ok_or_else(invalid)?;
    if way == RefreshTokenIn::Cookie {
        require_page_of(app, client, headers)?;
    }
    let granted = Granted {
        user: &user,
        client,
        family: &family,
        scope: narrowed(&family, client, request.scope.as_deref())?,
        auth_time,
        jkt: None,
    };
    // Minted before the token is spent: what fails here costs nobody a session.
    let answer = login::mint(app, granted, access, None)?;

    match rotation::spend(app, caller, (&token, family, &user), (client, None)).await? {
        Rotated::Fresh(family) | Rotated::Same(family) => {
            answer::with_refresh_token(app, answer, client, &family)
        }
        Rotated::Reused(_) => Err(refused(
            "refresh_token_reused",
            "this refresh token was used before: the session has ended, log in again",
        )
        .into()),
        Rotated::Expired => {
            Err(refused("refresh_token_expired", "the session has expired, log in again").into())
        }
        Rotated::Revoked | Rotated::Unknown => Err(invalid().into()),
    }
}

/// The token and the way it came: a cookie or a body, never both.
pub(super) fn presented<'a>(
    app: &App,
    headers: &'a HeaderMap,
    body: Option<&'a str>,
) -> Result<Option<(&'a str, RefreshTokenIn)>, Failure> {
    let cookie = cookie::read(headers, answer::refresh_cookie_name(app))?;
    match (cookie, body) {
        (Some(_), Some(_)) => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "send the refresh token in one place",
        )
        .into()),
        (Some(token), None) => Ok(Some((token, RefreshTokenIn::Cookie))),
        (None, Some(token)) => Ok(Some((token, RefreshTokenIn::Body))),
        (None, None) => Ok(None),
    }
}

/// A cookie is everybody's on its site: the page of one client does nothing with the session of another.
pub(super) fn require_page_of(app: &App, client: &Client, headers: &HeaderMap) -> Result<(), Failure> {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let is = |listed: &String| listed.as_bytes() == origin.as_bytes();
    let others = || {
        app.directory
            .login_clients()
            .any(|client| client.origins.iter().any(is))
    };
    if client.origins.iter().any(is) || is(&app.config.issuer.origin()) || !others() {
        return Ok(());
    }
    const REASON: &str = "this session belongs to another client than this page";
    Err(Refusal::new(StatusCode::FORBIDDEN, "cross_site_request", REASON).into())
}

/// What the token may be used for: what was granted, what the client still may, and what is asked for now (RFC 6749 §6).
fn narrowed(family: &Family, client: &Client, asked: Option<&str>) -> Result<ScopeSet, Failure> {
    let granted = rotation::granted(family, client)?;
    let Some(asked) = asked else { return Ok(granted) };
    let asked = asked
        .parse::<ScopeSet>()
        .ok()
        .filter(|asked| asked.is_subset(&granted));
    const REASON: &str = "the scope is more than was granted";
    asked.ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, "invalid_scope", REASON).into())
}

fn invalid() -> Refusal {
    refused(
        "refresh_token_invalid",
        "the refresh token is not valid, log in again",
    )
}

fn refused(code: &'static str, reason: &'static str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, code, reason)
}
