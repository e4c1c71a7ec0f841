//! `POST /auth/login`: e-mail and password for a fresh session.

use axum::extract::State;
use axum::response::Response;
use carnet_oauth::scope::ScopeSet;
use carnet_store::{AuditAction, NewLogin};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::answer;
use crate::app::App;
use crate::audit::Caller;
use crate::client::Client;
use crate::credentials::{self, Known, Typed, invalid_credentials};
use crate::http::cookie;
use crate::http::failure::{Failure, Refusal};
use crate::http::json::Json;
use crate::token::granted::Granted;
use crate::token::login;

/// The body of a login.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginRequest {
    #[serde(alias = "username")]
    email: String,
    password: String,
    client_id: Option<String>,
    scope: Option<String>,
    audience: Option<String>,
}

/// What the client may have, decided before any password is looked at.
struct Wanted<'a> {
    client: &'a Client,
    audience: &'a str,
    scope: ScopeSet,
}

pub(super) async fn login(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(request): Json<LoginRequest>,
) -> Result<Response, Failure> {
    let wanted = wanted(&app, &request)?;
    let typed = Typed {
        email: &request.email,
        password: &request.password,
        device: cookie::read(&headers, credentials::device_cookie(&app))?,
    };
    let known = credentials::check(&app, &caller, &typed).await?;
    begin(&app, &caller, &known, wanted).await
}

/// Session, family, audit row and counters in one transaction, then the tokens.
async fn begin(
    app: &App,
    caller: &Caller,
    Known { record, attempt }: &Known,
    wanted: Wanted<'_>,
) -> Result<Response, Failure> {
    let user = &record.user;
    let login = NewLogin {
        user: user.id,
        password_changed_at: record.password_changed_at,
        client_id: wanted.client.id.clone(),
        scope: wanted.scope.to_string(),
        audience: wanted.audience.to_owned(),
        browser: None,
        claims: None,
        code: None,
        address: caller.address.to_string(),
        user_agent: caller.user_agent.clone(),
        mac_key: app.master.current().to_owned(),
        jkt: None,
        idle_ms: wanted.client.refresh_idle.millis(),
        absolute_ms: wanted.client.refresh_absolute.millis(),
        throttle_keys_to_clear: attempt.personal.clone(),
        audit: caller.did(&user.sub, AuditAction::Login, &user.sub),
    };
    // None: disabled, or given another password, since it was looked up.
    let family = match app.store.begin_session(&login, app.now()).await {
        Ok(begun) => begun.ok_or_else(invalid_credentials)?,
        Err(error) => {
            // The password was right, and we are at fault.
            attempt.give_back(app);
            return Err(error.into());
        }
    };
    app.store.refund_attempt(&attempt.shared).await?;
    let granted = Granted {
        user,
        client: wanted.client,
        family: &family,
        scope: wanted.scope,
        auth_time: app.now(),
        jkt: None,
    };
    let access = app.store.access_of(user.id, &family.audience).await?;
    let body = login::mint(app, granted, access, None)?;
    let mut response = answer::with_refresh_token(app, body, wanted.client, &family)?;
    credentials::remember_device(app, &mut response, &user.sub, "/auth/login")?;
    Ok(response)
}

fn wanted<'a>(app: &'a App, request: &'a LoginRequest) -> Result<Wanted<'a>, Failure> {
    let refuse = |code, reason| Refusal::new(StatusCode::BAD_REQUEST, code, reason);
    let client = app.directory.login_client(request.client_id.as_deref());
    let client = client.ok_or_else(|| {
        refuse(
            "unknown_client",
            "no client of this client_id may use the login API",
        )
    })?;
    let audience = match &request.audience {
        Some(audience) => client.audiences.iter().find(|known| *known == audience),
        None => client.audiences.first(),
    };
    let audience =
        audience.ok_or_else(|| refuse("invalid_target", "the client may not ask for this audience"))?;
    let scope = match &request.scope {
        None => client.scope.clone(),
        Some(scope) => {
            let asked = scope
                .parse::<ScopeSet>()
                .ok()
                .filter(|asked| asked.is_subset(&client.scope));
            asked.ok_or_else(|| refuse("invalid_scope", "the client may not ask for this scope"))?
        }
    };
    Ok(Wanted {
        client,
        audience,
        scope,
    })
}
