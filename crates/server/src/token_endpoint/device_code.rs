//! Device code: what a device has shown its user, for tokens, once the user has allowed it elsewhere.
//!
//! Spec: RFC 8628 §3.4, §3.5 · RFC 9449 §5

use std::slice::from_ref;

use carnet_oauth::claims_request::ClaimsRequest;
use carnet_oauth::token_response::TokenResponse;
use carnet_store::{BrowserLogin, Tie};

use super::allowed::{Allowed, refuse};
use super::request::TokenRequest;
use crate::http::failure::Failure;
use crate::token::device_code::{self, Decision, DeviceRequest};

pub(super) async fn exchange(request: &TokenRequest<'_>) -> Result<TokenResponse, Failure> {
    let TokenRequest { app, client, .. } = request;
    let presented = request.form.required("device_code")?;
    // RFC 8707 §2: a device that asks for the wrong resource may ask again; its user has decided once.
    let fits = |asked: &DeviceRequest| request.audience(from_ref(&asked.audience)).map(|_| ());
    let asked = device_code::redeem(app, (&client.id, presented), fits).await?;
    let Some(Decision::Allowed {
        sub,
        browser_sid,
        auth_time,
        allowed_at,
    }) = &asked.decision
    else {
        return Err(refuse("nobody has allowed it"));
    };
    let allowed = Allowed {
        client_changed_at: asked.client_changed_at,
        sub,
        scope: &asked.scope,
        audience: &asked.audience,
        // Whoever signs out before the device has its tokens takes them back.
        browser: BrowserLogin {
            sid: browser_sid.clone(),
            auth_time: *auth_time,
            allowed_at: *allowed_at,
            absolute_ms: app.config.tokens.refresh_absolute.millis(),
            // The device is another one than the browser: it stays when the browser is signed out.
            tie: Tie::Apart,
        },
        code: None,
        nonce: None,
        claims: &ClaimsRequest::default(),
    };
    allowed.tokens(request).await
}
