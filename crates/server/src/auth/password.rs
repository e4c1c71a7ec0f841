//! `POST /auth/password`: the old password for a new one; every other session of the user ends.

use std::time::Duration;

use axum::extract::State;
use carnet_store::{AuditAction, NewPassword, Reason};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::holder;
use crate::app::App;
use crate::audit::Caller;
use crate::credentials::invalid_credentials;
use crate::email::Email;
use crate::http::failure::{Failure, Refusal, overloaded};
use crate::http::json::Json;
use crate::password::Password;
use crate::throttle::Attempt;

/// The body of a password change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordRequest {
    old_password: String,
    new_password: String,
}

pub(super) async fn change(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(request): Json<PasswordRequest>,
) -> Result<StatusCode, Failure> {
    let presented = holder::authenticate(&app, &headers).await?;
    let user = presented.user;
    let canonical = Email::parse(&user.email)
        .map(|email| email.canonical)
        .unwrap_or_default();
    let mut attempt = Attempt::change(&app, &user.sub)?;
    let old = Password::to_verify(&request.old_password).map_err(|_| invalid_credentials())?;
    let record = app.store.find_login(&canonical).await?;
    let (stored, checked) = record.map_or((None, None), |record| {
        (record.password_hash, record.password_changed_at)
    });
    if !attempt.verify(&app, old, (stored, true)).await?.matches {
        return refuse(&app, &caller, &user.sub).await;
    }
    app.store.clear_throttles(&attempt.personal).await?;
    let new = accept(&app, &request.new_password, &user.email).await?;
    let hash = app
        .hasher
        .hash(new)
        .await
        .map_err(|full| overloaded(full.retry_after))?;
    let audit = caller.did(&user.sub, AuditAction::PasswordChange, &user.sub);
    let cut = app.cut(Reason::PasswordChanged, audit);
    let new = NewPassword {
        sub: user.sub.clone(),
        hash,
        unless_changed_since: checked,
        keep_session: presented.claims.sid,
    };
    if !app.store.set_password(&new, &cut).await? {
        // Somebody else changed it while this one was hashed: the old password is not the old one any more.
        return refuse(&app, &caller, &user.sub).await;
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn refuse(app: &App, caller: &Caller, sub: &str) -> Result<StatusCode, Failure> {
    let audit = caller.was_refused(sub, AuditAction::PasswordChange, sub, "invalid_credentials");
    app.store.record_audit(&audit, app.now()).await?;
    Err(invalid_credentials().into())
}

/// A new password that the policy accepts. Measuring its strength takes a good part of a second at worst: not on a thread
/// that answers, and no more of them at once than there are cores.
pub(super) async fn accept(app: &App, password: &str, email: &str) -> Result<Password, Failure> {
    let turn = timeout(PATIENCE, app.strength_checks.clone().acquire_owned()).await;
    let turn = turn
        .map_err(|_| overloaded(PATIENCE.as_secs()))?
        .map_err(Failure::broken)?;
    let (app, password, email) = (app.clone(), Zeroizing::new(password.to_owned()), email.to_owned());
    let judged = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        app.password_policy.accept(&password, &[&email])
    });
    judged.await.map_err(Failure::broken)?.map_err(|refused| {
        let refusal = Refusal::new(StatusCode::BAD_REQUEST, refused.code(), refused.reason());
        refusal.into()
    })
}

/// How long a new password waits to be judged.
const PATIENCE: Duration = Duration::from_secs(2);
