//! Device code: what a device has shown its user, for tokens, once the user has allowed it elsewhere.
//!
//! Spec: RFC 8628 §3.4, §3.5 · RFC 9449 §5

use carnet_oauth::error_code::ErrorCode;
use carnet_oauth::grant_type::GrantType;
use carnet_oauth::token_response::TokenResponse;
use carnet_store::{AuditAction, BrowserLogin, Family, NewLogin, Tie, User, UserState};

use super::request::TokenRequest;
use crate::http::failure::{Because as _, Failure};
use crate::token::device_code::{self, Decision, DeviceRequest};
use crate::token::granted::Granted;
use crate::token::login;
use crate::token::refresh;

pub(super) async fn exchange(request: &TokenRequest<'_>) -> Result<TokenResponse, Failure> {
    let TokenRequest { app, client, .. } = request;
    let presented = request.form.required("device_code")?;
    let asked = device_code::redeem(app, &client.id, presented).await?;
    // The registration has changed since: whoever was disabled begins anew.
    if asked.client_changed_at != client.changed_at {
        return Err(refuse("the client has changed since the device asked"));
    }
    let audience = request.audience(std::slice::from_ref(&asked.audience))?;
    if !client.audiences.iter().any(|known| known == audience) {
        return Err(refuse("the client may no longer ask for this resource"));
    }
    let Some(Decision::Allowed {
        sub,
        browser_sid,
        auth_time,
        allowed_at,
    }) = &asked.decision
    else {
        return Err(refuse("nobody has allowed it"));
    };
    let user = app.store.user_by_sub(sub).await?;
    let user = user.filter(|user| user.state == UserState::Active);
    let user = user.ok_or_else(|| refuse("the user who allowed it is not active any more"))?;
    let browser = BrowserLogin {
        sid: browser_sid.clone(),
        auth_time: *auth_time,
        allowed_at: *allowed_at,
        // The device is another one than the browser: it stays when the browser is signed out.
        tie: Tie::Apart,
    };
    let family = begin(request, &asked, (&user, browser)).await?;
    let granted = Granted {
        user: &user,
        client,
        family: &family,
        scope: asked.scope.intersection(&client.scope),
        auth_time: *auth_time,
        jkt: request.jkt,
    };
    let mut answer = login::mint(app, granted, None).await?;
    if client.may(GrantType::RefreshToken) {
        answer.refresh_token = Some(refresh::write(app, &family)?);
    }
    Ok(answer)
}

/// A session of the device's own. The login in which it was allowed must still stand: whoever signs out at once takes it back.
async fn begin(
    request: &TokenRequest<'_>,
    asked: &DeviceRequest,
    (user, browser): (&User, BrowserLogin),
) -> Result<Family, Failure> {
    let TokenRequest {
        app, caller, client, ..
    } = request;
    let new = NewLogin {
        user: user.id,
        password_changed_at: None,
        client_id: client.id.clone(),
        scope: asked.scope.to_string(),
        audience: asked.audience.clone(),
        browser: Some(browser),
        code: None,
        address: caller.address.to_string(),
        user_agent: caller.user_agent.clone(),
        mac_key: app.master.current().to_owned(),
        jkt: request.key_of_refresh_tokens().map(str::to_owned),
        claims: None,
        idle_ms: app.config.tokens.refresh_idle.millis(),
        absolute_ms: app.config.tokens.refresh_absolute.millis(),
        throttle_keys_to_clear: Vec::new(),
        audit: caller.did(&user.sub, AuditAction::Login, &client.id),
    };
    let begun = app.store.begin_session(&new, app.now()).await?;
    begun.ok_or_else(|| refuse("the login in which it was allowed has ended"))
}

fn refuse(reason: &'static str) -> Failure {
    ErrorCode::InvalidGrant.because(reason).into()
}
