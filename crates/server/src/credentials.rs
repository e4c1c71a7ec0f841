//! E-mail and password: who somebody is, at the login API and at the login page alike.

use std::net::IpAddr;

use axum::response::Response;
use carnet_store::{AuditAction, LoginRecord, UserState};
use http::{StatusCode, header};

use crate::app::App;
use crate::audit::Caller;
use crate::email::Email;
use crate::http::cookie::{self, Cookie, SameSite};
use crate::http::failure::{Failure, Refusal};
use crate::password::Password;
use crate::throttle::Attempt;
use crate::token::known_device;

/// What somebody has typed.
pub(crate) struct Typed<'a> {
    pub(crate) email: &'a str,
    pub(crate) password: &'a str,
    /// The cookie of a device on which somebody has logged in before.
    pub(crate) device: Option<&'a str>,
}

/// A login that was right, but has not begun anything yet.
pub(crate) struct Known {
    pub(crate) record: LoginRecord,
    pub(crate) attempt: Attempt,
}

/// Whose they are. Same answer, same work for a wrong password, an unknown address and a disabled user.
pub(crate) async fn check(app: &App, caller: &Caller, typed: &Typed<'_>) -> Result<Known, Failure> {
    let password = Password::to_verify(typed.password).map_err(|_| invalid_credentials())?;
    // An address that is none belongs to nobody, and costs what an unknown one costs.
    let canonical = Email::parse(typed.email).map_or_else(|| "(none)".to_owned(), |email| email.canonical);
    let record = app.store.find_login(&canonical).await?;
    let mut attempt = attempt(app, (&canonical, caller.address), typed, record.as_ref())?;
    let stored = record.as_ref().and_then(|record| record.password_hash.clone());
    let usable = record
        .as_ref()
        .is_some_and(|record| record.user.state == UserState::Active);
    let verdict = attempt.verify(app, password, (stored, usable)).await?;
    let Some(record) = record.filter(|_| verdict.matches) else {
        let audit = caller.was_refused("", AuditAction::Login, "", "invalid_credentials");
        app.store.record_audit(&audit, app.now()).await?;
        return Err(invalid_credentials().into());
    };
    if verdict.rehash {
        rehash(app, &record, typed.password).await;
    }
    Ok(Known { record, attempt })
}

/// The device cookie counts when it is of the account that logs in now.
fn attempt(
    app: &App,
    (account, address): (&str, IpAddr),
    typed: &Typed<'_>,
    record: Option<&LoginRecord>,
) -> Result<Attempt, Failure> {
    let known = typed.device.and_then(|cookie| known_device::read(app, cookie));
    let known = known.filter(|sub| record.is_some_and(|record| record.user.sub == *sub));
    Attempt::on(app, account, address, known.as_deref())
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

/// The name of the cookie that recognises a device.
pub(crate) fn device_cookie(app: &App) -> &'static str {
    cookie::name(app, "__Secure-device", "carnet_device")
}

/// The next login from this device has a counter of its own. The cookie is sent to the login alone.
pub(crate) fn remember_device(
    app: &App,
    response: &mut Response,
    sub: &str,
    path: &str,
) -> Result<(), Failure> {
    let cookie = Cookie {
        name: device_cookie(app),
        value: &known_device::write(app, sub)?,
        path,
        max_age: known_device::MAX_AGE,
        secure: app.config.issuer.is_https(),
        same_site: SameSite::Strict,
    };
    response
        .headers_mut()
        .append(header::SET_COOKIE, cookie.header()?);
    Ok(())
}

/// One answer for a wrong password, an unknown address and a disabled user.
pub(crate) fn invalid_credentials() -> Refusal {
    Refusal::new(
        StatusCode::UNAUTHORIZED,
        "invalid_credentials",
        "the e-mail address or the password is wrong",
    )
}
