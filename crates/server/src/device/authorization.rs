//! `POST /oauth/device_authorization`: a device asks for a pair of codes.
//!
//! Spec: RFC 8628 §3.1 (request), §3.2 (answer), §5.2 (floods)

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use carnet_oauth::device::{DEFAULT_INTERVAL, DeviceAuthorizationResponse, show_user_code};
use carnet_oauth::error_code::ErrorCode;
use carnet_oauth::grant_type::GrantType;
use http::{HeaderMap, header};

use super::verification;
use crate::app::App;
use crate::audit::Caller;
use crate::client_auth::authenticate_client;
use crate::http::failure::{Because as _, Failure};
use crate::http::form::Form;
use crate::http::origin::open_cors;
use crate::throttle::Attempt;
use crate::token::device_code::{DeviceRequest, LIFE};
use crate::wanted;

pub(super) const PATH: &str = "/oauth/device_authorization";

pub(super) fn routes() -> Router<App> {
    Router::new().route(PATH, post(authorize)).layer(open_cors())
}

async fn authorize(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Failure> {
    let client = authenticate_client(&app, &caller, &headers, &form).await?;
    if !client.may(GrantType::DeviceCode) {
        const REASON: &str = "the client is not registered for device_code";
        return Err(ErrorCode::UnauthorizedClient.because(REASON).into());
    }
    let scope = wanted::scope_of_login(&client, form.optional("scope"))?;
    let audience = wanted::audience(form.resource()?, &client.audiences)?;
    // DV-09: what anybody may make a row of is counted.
    Attempt::device_request(&app, &client.id, caller.address)?
        .count(&app)
        .await?;
    let now = app.now();
    let request = DeviceRequest {
        client_id: client.id.clone(),
        client_changed_at: client.changed_at,
        scope,
        audience: audience.to_owned(),
        address: caller.address.to_string(),
        asked_at: now,
        expires_at: now.saturating_add(LIFE.millis()),
        decision: None,
    };
    let codes = request.issue(&app).await?;
    let user_code = show_user_code(&codes.user);
    let verification_uri = app.config.issuer.join(verification::PATH);
    let answer = DeviceAuthorizationResponse {
        device_code: codes.device,
        verification_uri_complete: Some(format!("{verification_uri}?user_code={user_code}")),
        verification_uri,
        user_code,
        expires_in: LIFE.as_seconds(),
        interval: DEFAULT_INTERVAL,
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}
