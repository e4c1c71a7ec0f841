//! `POST /auth/logout`: this session, or all of the user's, as strongly as the configuration says.
//!
//! Spec: RFC 7009 §2.1 (a refresh token takes its access tokens along)

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use carnet_store::{AuditAction, FamilyRecord, NewAudit, Reason, Strength, User, UserState, Verdict, judge};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::refresh::{presented, require_page_of};
use super::{answer, holder};
use crate::app::App;
use crate::audit::Caller;
use crate::config::{LogoutStrength, RefreshTokenIn};
use crate::http::failure::{Failure, Refusal};
use crate::http::json::OptionalJson;
use crate::token::bearer::{self, Rejected};
use crate::token::refresh::RefreshToken;

/// The body of a logout; browsers may send none.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogoutRequest {
    #[serde(default)]
    mode: Mode,
    refresh_token: Option<String>,
}

/// How much ends.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Session,
    Everywhere,
}

/// A session that a token proves.
struct Proven {
    user: User,
    sid: String,
    /// The access token that proves it.
    jti: Option<String>,
    /// The token is one that may be used now. A spent one ends its own session, never those of a user's other devices.
    live: bool,
}

pub(super) async fn logout(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    OptionalJson(request): OptionalJson<LogoutRequest>,
) -> Result<Response, Failure> {
    let proven = proven(&app, &headers, request.refresh_token.as_deref()).await?;
    match request.mode {
        Mode::Session => {
            // With `cookie` nothing but the cookie goes: the browser forgets it.
            if let Some(strength) = strength(&app) {
                for session in &proven {
                    end(&app, &caller, session, strength).await?;
                }
            }
        }
        Mode::Everywhere => {
            let Some(session) = proven.iter().find(|session| session.live) else {
                const REASON: &str = "logging out everywhere needs the refresh cookie or an access token";
                return Err(Refusal::new(StatusCode::UNAUTHORIZED, "token_missing", REASON).into());
            };
            // Other browsers keep their cookies: what ends there ends here, at the least with its family.
            let strength = strength(&app).unwrap_or(Strength::RefreshOnly);
            let cut = app.cut(Reason::Logout, audit(&caller, session));
            app.store
                .end_sessions_of(session.user.id, strength, None, &cut)
                .await?;
        }
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    answer::clear_refresh_cookie(&app, &mut response)?;
    Ok(response)
}

fn strength(app: &App) -> Option<Strength> {
    match app.config.login.logout_strength {
        LogoutStrength::Cookie => None,
        LogoutStrength::Refresh => Some(Strength::RefreshOnly),
        LogoutStrength::Denylist => Some(Strength::DenyList),
    }
}

fn audit(caller: &Caller, session: &Proven) -> NewAudit {
    NewAudit {
        session: session.sid.clone(),
        ..caller.did(&session.user.sub, AuditAction::Logout, &session.sid)
    }
}

async fn end(app: &App, caller: &Caller, session: &Proven, strength: Strength) -> Result<(), Failure> {
    let cut = app.cut(Reason::Logout, audit(caller, session));
    app.store
        .end_session(&session.sid, strength, session.jti.as_deref(), &cut)
        .await?;
    Ok(())
}

/// By the refresh token, of whichever generation: an older tab may log out too. And by the access token, which may be of another session.
async fn proven(app: &App, headers: &HeaderMap, in_body: Option<&str>) -> Result<Vec<Proven>, Failure> {
    let mut sessions = Vec::new();
    if let Some((text, way)) = presented(app, headers, in_body)? {
        sessions.extend(by_refresh_token(app, headers, (text, way)).await?);
    }
    let Some(token) = bearer::token_of(headers)? else {
        if sessions.is_empty() {
            holder::refuse_bound(headers)?;
        }
        return Ok(sessions);
    };
    match by_access_token(app, token).await? {
        Ok(proven) => match sessions.iter_mut().find(|session| session.sid == proven.sid) {
            Some(session) => {
                session.jti = proven.jti;
                session.live |= proven.live;
            }
            None => sessions.push(proven),
        },
        // What it stood for has ended already, or ends by the refresh token.
        Err(Rejected::Revoked) => {}
        Err(_) if !sessions.is_empty() => {}
        // Nobody may believe to be logged out by a token that does not count.
        Err(rejected) => return Err(bearer::refusal(rejected).into()),
    }
    Ok(sessions)
}

/// The session of an access token. One that was made with a shared secret ends its own session and no other: whoever shares the
/// secret can make such tokens for anybody.
async fn by_access_token(app: &App, token: &str) -> Result<Result<Proven, Rejected>, Failure> {
    let published = bearer::check(app, token).await?;
    let live = published.is_ok();
    let presented = match published {
        Err(Rejected::Invalid) => bearer::check_any(app, token).await?,
        other => other,
    };
    Ok(presented.and_then(|presented| {
        let presented = holder::of_login(app, presented)?;
        Ok(Proven {
            sid: presented.claims.sid.ok_or(Rejected::Invalid)?,
            user: presented.user,
            jti: Some(presented.claims.jti),
            live,
        })
    }))
}

async fn by_refresh_token(
    app: &App,
    headers: &HeaderMap,
    (text, way): (&str, RefreshTokenIn),
) -> Result<Option<Proven>, Failure> {
    let Some(token) = RefreshToken::parse(text) else {
        return Ok(None);
    };
    let Some(FamilyRecord { family, user, .. }) = app.store.family(token.fam).await? else {
        return Ok(None);
    };
    if !token.is_genuine(&app.master, &family) {
        return Ok(None);
    }
    // Those of other clients are given back at the revocation endpoint.
    let Some(client) = app.directory.login_client(Some(&family.client_id)) else {
        tracing::info!(client_id = %family.client_id, "a refresh token was not counted at the login API: its client is none of it");
        return Ok(None);
    };
    if way == RefreshTokenIn::Cookie {
        require_page_of(app, client, headers)?;
    }
    let grace = client.refresh_grace.millis();
    let now = app.now();
    // The one before is an honest retry's, for as long as it would be taken for one.
    let counts = judge(&family, token.generation, now, grace);
    let live = user.state == UserState::Active && matches!(counts, Verdict::Rotate | Verdict::Retry);
    Ok(Some(Proven {
        user,
        sid: family.sid,
        jti: None,
        live,
    }))
}
