//! `POST /auth/password`: the old password for a new one; every other session of the user ends.

use axum::extract::State;
use carnet_store::{AuditAction, Reason};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::login::invalid_credentials;
use crate::app::App;
use crate::audit::Caller;
use crate::email::Email;
use crate::http::failure::{Failure, Refusal, overloaded};
use crate::http::json::Json;
use crate::password::Password;
use crate::throttle::Attempt;
use crate::token::bearer;

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
    let presented = bearer::authenticate(&app, &headers).await?;
    let user = presented.user;
    let new = accept(&app, &request.new_password, &user.email).await?;
    let canonical = Email::parse(&user.email)
        .map(|email| email.canonical)
        .unwrap_or_default();
    let attempt = Attempt::on(&app, &canonical, caller.address, Some(&user.sub))?;
    attempt.count(&app).await?;

    let old = Password::to_verify(&request.old_password).map_err(|_| invalid_credentials())?;
    let stored = app
        .store
        .find_login(&canonical)
        .await?
        .and_then(|record| record.password_hash);
    let verdict = app
        .hasher
        .verify(old, stored)
        .await
        .map_err(|full| overloaded(full.retry_after))?;
    if !verdict.matches {
        let audit = caller.was_refused(
            &user.sub,
            AuditAction::PasswordChange,
            &user.sub,
            "invalid_credentials",
        );
        app.store.record_audit(&audit, app.now()).await?;
        return Err(invalid_credentials().into());
    }
    let hash = app
        .hasher
        .hash(new)
        .await
        .map_err(|full| overloaded(full.retry_after))?;
    let audit = caller.did(&user.sub, AuditAction::PasswordChange, &user.sub);
    let cut = app.cut(Reason::PasswordChanged, audit);
    app.store
        .set_password(&user.sub, &hash, presented.claims.sid.as_deref(), &cut)
        .await?;
    app.store.clear_throttles(&attempt.personal).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A new password that the policy accepts. Measuring its strength takes a good part of a second at worst: not on a thread that answers.
pub(super) async fn accept(app: &App, password: &str, email: &str) -> Result<Password, Failure> {
    let (app, password, email) = (app.clone(), Zeroizing::new(password.to_owned()), email.to_owned());
    let judged = tokio::task::spawn_blocking(move || app.password_policy.accept(&password, &[&email]));
    judged.await.map_err(Failure::broken)?.map_err(|refused| {
        let refusal = Refusal::new(StatusCode::BAD_REQUEST, refused.code(), refused.reason());
        refusal.into()
    })
}
