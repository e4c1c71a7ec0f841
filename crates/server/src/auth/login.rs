//! `POST /auth/login`: e-mail and password for a fresh session.

use axum::extract::State;
use axum::response::Response;
use carnet_oauth::scope::ScopeSet;
use carnet_store::{AuditAction, LoginRecord, NewLogin, UserState};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::answer::{self, Granted};
use crate::app::App;
use crate::audit::Caller;
use crate::client::Client;
use crate::email::Email;
use crate::http::cookie;
use crate::http::failure::{Failure, Refusal};
use crate::http::json::Json;
use crate::password::Password;
use crate::throttle::Attempt;
use crate::token::device;

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
    let password = Password::to_verify(&request.password).map_err(|_| invalid_credentials())?;
    // An address that is none belongs to nobody, and costs what an unknown one costs.
    let canonical = Email::parse(&request.email).map_or_else(|| "(none)".to_owned(), |email| email.canonical);
    let record = app.store.find_login(&canonical).await?;
    let device = known_device(&app, &headers, record.as_ref())?;
    let mut attempt = Attempt::on(&app, &canonical, caller.address, device.as_deref())?;
    let stored = record.as_ref().and_then(|record| record.password_hash.clone());
    let usable = record
        .as_ref()
        .is_some_and(|record| record.user.state == UserState::Active);
    let verdict = attempt.verify(&app, password, (stored, usable)).await?;
    let known = record.filter(|_| verdict.matches);
    let Some(record) = known else {
        app.store
            .record_audit(
                &caller.was_refused("", AuditAction::Login, "", "invalid_credentials"),
                app.now(),
            )
            .await?;
        return Err(invalid_credentials().into());
    };
    if verdict.rehash {
        rehash(&app, &record, &request.password).await;
    }
    begin(&app, &caller, (&record, &attempt), wanted).await
}

/// Session, family, audit row and counters in one transaction, then the tokens.
async fn begin(
    app: &App,
    caller: &Caller,
    (record, attempt): (&LoginRecord, &Attempt),
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
        code: None,
        address: caller.address.to_string(),
        user_agent: caller.user_agent.clone(),
        mac_key: app.master.current().to_owned(),
        idle_ms: app.config.tokens.refresh_idle.millis(),
        absolute_ms: app.config.tokens.refresh_absolute.millis(),
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
    };
    let body = answer::mint(app, granted).await?;
    let mut response = answer::with_refresh_token(app, body, wanted.client, &family)?;
    answer::set_device_cookie(app, &mut response, &device::write(app, &user.sub)?)?;
    Ok(response)
}

fn wanted<'a>(app: &'a App, request: &'a LoginRequest) -> Result<Wanted<'a>, Failure> {
    let refuse = |code, reason| Refusal::new(StatusCode::BAD_REQUEST, code, reason);
    let client = app.directory.client(request.client_id.as_deref());
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

/// The account of the device cookie, when it is the one that logs in now.
fn known_device(
    app: &App,
    headers: &HeaderMap,
    record: Option<&LoginRecord>,
) -> Result<Option<String>, Failure> {
    let cookie = cookie::read(headers, answer::device_cookie_name(app))?;
    let known = cookie.and_then(|cookie| device::read(app, cookie));
    Ok(known.filter(|sub| record.is_some_and(|record| record.user.sub == *sub)))
}

/// Today's hash for a password that was stored as an older one. The login was right, whatever becomes of this: the next one tries again.
async fn rehash(app: &App, record: &LoginRecord, password: &str) {
    let (Ok(password), Some(old)) = (Password::to_verify(password), &record.password_hash) else {
        return;
    };
    let sub = &record.user.sub;
    let Ok(new) = app.hasher.hash(password).await else {
        return;
    };
    if let Err(error) = app.store.replace_password_hash(sub, old, &new, app.now()).await {
        tracing::warn!(%error, %sub, "a password hash could not be renewed");
    }
}

/// One answer for a wrong password, an unknown address and a disabled user.
pub(super) fn invalid_credentials() -> Refusal {
    Refusal::new(
        StatusCode::UNAUTHORIZED,
        "invalid_credentials",
        "the e-mail address or the password is wrong",
    )
}
