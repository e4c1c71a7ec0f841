//! `POST /auth/logout`: this session, or all of the user's, as strongly as the configuration says.
//!
//! Spec: RFC 7009 §2.1 (a refresh token takes its access tokens along)

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use carnet_store::{AuditAction, Reason, Strength, User};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::answer;
use crate::app::App;
use crate::audit::Caller;
use crate::config::LogoutStrength;
use crate::http::cookie;
use crate::http::failure::{Failure, Refusal};
use crate::http::json::OptionalJson;
use crate::token::bearer;
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

/// The session that a cookie or a token proves.
struct Proven {
    user: User,
    sid: String,
    jti: Option<String>,
}

pub(super) async fn logout(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    OptionalJson(request): OptionalJson<LogoutRequest>,
) -> Result<Response, Failure> {
    let strength = match app.config.login.logout_strength {
        LogoutStrength::Cookie => None,
        LogoutStrength::Refresh => Some(Strength::RefreshOnly),
        LogoutStrength::Denylist => Some(Strength::DenyList),
    };
    let proven = proven(&app, &headers, request.refresh_token.as_deref()).await?;
    match (proven, strength) {
        (Some(proven), Some(strength)) => end(&app, &caller, proven, (request.mode, strength)).await?,
        (None, _) if request.mode == Mode::Everywhere => {
            const REASON: &str = "logging out everywhere needs the refresh cookie or an access token";
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, "token_missing", REASON).into());
        }
        // Nobody to log out, or nothing but the cookie to take away: the browser forgets it all the same.
        _ => {}
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    answer::clear_refresh_cookie(&app, &mut response)?;
    Ok(response)
}

async fn end(
    app: &App,
    caller: &Caller,
    proven: Proven,
    (mode, strength): (Mode, Strength),
) -> Result<(), Failure> {
    let mut audit = caller.did(&proven.user.sub, AuditAction::Logout, &proven.sid);
    audit.session.clone_from(&proven.sid);
    let cut = app.cut(Reason::Logout, audit);
    match mode {
        Mode::Session => {
            app.store
                .end_session(&proven.sid, strength, proven.jti.as_deref(), &cut)
                .await?;
        }
        Mode::Everywhere => {
            app.store
                .end_sessions_of(proven.user.id, strength, None, &cut)
                .await?;
        }
    }
    Ok(())
}

/// By the refresh token, of whichever generation: an older tab may log out too. Otherwise by the access token.
async fn proven(app: &App, headers: &HeaderMap, in_body: Option<&str>) -> Result<Option<Proven>, Failure> {
    let cookie = cookie::read(headers, answer::refresh_cookie_name(app))?;
    let bearer = match bearer::token_of(headers)? {
        None => None,
        Some(token) => bearer::check(app, token).await?.ok(),
    };
    if let Some(token) = cookie.or(in_body).and_then(RefreshToken::parse)
        && let Some(record) = app.store.family(token.fam).await?
        && token.is_genuine(&app.master, &record.family)
    {
        let same_session =
            bearer.filter(|presented| presented.claims.sid.as_ref() == Some(&record.family.sid));
        let jti = same_session.map(|presented| presented.claims.jti);
        return Ok(Some(Proven {
            user: record.user,
            sid: record.family.sid,
            jti,
        }));
    }
    Ok(bearer.and_then(|presented| {
        let sid = presented.claims.sid?;
        Some(Proven {
            user: presented.user,
            sid,
            jti: Some(presented.claims.jti),
        })
    }))
}
