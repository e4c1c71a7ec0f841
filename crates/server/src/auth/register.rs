//! `POST /auth/register`: an account for a stranger, when the operator allows it.

use axum::Json as Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use carnet_store::{AuditAction, NewUser, StoreError};
use http::StatusCode;
use serde::Deserialize;

use super::password::accept;
use crate::app::App;
use crate::audit::Caller;
use crate::config::Registration;
use crate::email::Email;
use crate::http::failure::{Failure, Refusal, overloaded};
use crate::http::json::Json;
use crate::throttle::Attempt;

/// The body of a registration. Roles, verification and the like are not for strangers to say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegisterRequest {
    email: String,
    password: String,
    name: Option<String>,
}

const MAX_NAME_CHARS: usize = 200;

pub(super) async fn register(
    State(app): State<App>,
    caller: Caller,
    Json(request): Json<RegisterRequest>,
) -> Result<Response, Failure> {
    let refuse = |code, reason| Refusal::new(StatusCode::BAD_REQUEST, code, reason);
    if app.config.login.registration == Registration::Closed {
        const REASON: &str = "accounts are made by the operator";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "registration_closed", REASON).into());
    }
    let email =
        Email::parse(&request.email).ok_or_else(|| refuse("invalid_email", "this is no e-mail address"))?;
    if request
        .name
        .as_ref()
        .is_some_and(|name| name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control))
    {
        return Err(refuse(
            "invalid_name",
            "a name has 200 characters at most and none that control",
        )
        .into());
    }
    Attempt::registration(&app, caller.address)?.count(&app).await?;
    let password = accept(&app, &request.password, &email.display).await?;

    // Hashed whether or not the address is taken: the time tells nothing.
    let hash = app
        .hasher
        .hash(password)
        .await
        .map_err(|full| overloaded(full.retry_after))?;
    let new = NewUser {
        sub: String::new(),
        email_display: email.display,
        email_canonical: email.canonical,
        name: request.name,
        password_hash: Some(hash),
        roles: Vec::new(),
        email_verified: false,
        claims: "{}".to_owned(),
        attributes: "{}".to_owned(),
    };
    let audit = match app.store.create_user(&new, app.now()).await {
        Ok(user) => caller.did(&user.sub, AuditAction::Register, &user.sub),
        // The same answer as for a new address: nobody learns who has an account.
        Err(StoreError::Conflict("email_taken")) => {
            caller.was_refused("", AuditAction::Register, "", "email_taken")
        }
        Err(error) => return Err(error.into()),
    };
    app.store.record_audit(&audit, app.now()).await?;
    Ok((
        StatusCode::ACCEPTED,
        Body(serde_json::json!({ "status": "accepted" })),
    )
        .into_response())
}
