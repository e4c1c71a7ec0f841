//! The answer that carries tokens, and the refresh cookie.
//!
//! Spec: RFC 6749 §5.1

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use carnet_oauth::token_response::TokenResponse;
use carnet_store::{Family, User};
use http::{HeaderValue, header};

use crate::app::App;
use crate::client::Client;
use crate::config::RefreshTokenIn;
use crate::http::cookie::Cookie;
use crate::http::failure::Failure;
use crate::token::access::{self, Approved};
use crate::token::refresh;
use carnet_oauth::scope::ScopeSet;

/// The cookie's path: `/auth`, so that a logout can use it when the access token has expired.
const PATH: &str = "/auth";

/// What a login or a refresh gives.
pub(super) struct Granted<'a> {
    pub(super) user: &'a User,
    pub(super) client: &'a Client,
    pub(super) family: &'a Family,
    pub(super) scope: ScopeSet,
    /// When the user proved who they are, in milliseconds.
    pub(super) auth_time: i64,
}

/// The answer but for its refresh token: everything that can fail before a family moves.
pub(super) async fn mint(app: &App, granted: Granted<'_>) -> Result<TokenResponse, Failure> {
    let Granted {
        user,
        client,
        family,
        scope,
        auth_time,
    } = granted;
    let access = app.store.access_of(user.id, &family.audience).await?;
    let minted = access::mint(
        app,
        Approved {
            user,
            client,
            family,
            scope: scope.clone(),
            access,
            auth_time,
        },
    )?;
    Ok(TokenResponse {
        access_token: minted.token,
        token_type: "Bearer".to_owned(),
        expires_in: minted.expires_in,
        scope,
        refresh_token: None,
        id_token: None,
    })
}

/// Answers with it and the family's newest refresh token, where the client takes it.
pub(super) fn with_refresh_token(
    app: &App,
    mut body: TokenResponse,
    client: &Client,
    family: &Family,
) -> Result<Response, Failure> {
    let refresh_token = refresh::write(app, family)?;
    let in_body = client.refresh_token_in == RefreshTokenIn::Body;
    body.refresh_token = in_body.then(|| refresh_token.clone());
    let mut response = Json(body).into_response();
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
        .headers_mut()
        .insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    if !in_body {
        let left = family
            .idle_expires_at
            .min(family.absolute_expires_at)
            .saturating_sub(app.now());
        set_refresh_cookie(app, &mut response, &refresh_token, left.max(0) / 1000)?;
    }
    Ok(response)
}

/// Tells the browser to forget the refresh cookie.
pub(super) fn clear_refresh_cookie(app: &App, response: &mut Response) -> Result<(), Failure> {
    set_refresh_cookie(app, response, "", 0)
}

/// The name of the refresh cookie: with the prefix that browsers enforce, except on plain loopback.
pub(super) fn refresh_cookie_name(app: &App) -> &'static str {
    if app.config.issuer.is_https() {
        "__Secure-refresh_token"
    } else {
        "refresh_token"
    }
}

/// The name of the device cookie.
pub(super) fn device_cookie_name(app: &App) -> &'static str {
    if app.config.issuer.is_https() {
        "__Secure-device"
    } else {
        "device"
    }
}

/// Adds the device cookie, sent to the login alone.
pub(super) fn set_device_cookie(app: &App, response: &mut Response, value: &str) -> Result<(), Failure> {
    let max_age = crate::token::device::MAX_AGE;
    let secure = app.config.issuer.is_https();
    let cookie = Cookie {
        name: device_cookie_name(app),
        value,
        path: "/auth/login",
        max_age,
        secure,
    };
    response
        .headers_mut()
        .append(header::SET_COOKIE, cookie.header()?);
    Ok(())
}

fn set_refresh_cookie(app: &App, response: &mut Response, value: &str, max_age: i64) -> Result<(), Failure> {
    let secure = app.config.issuer.is_https();
    let cookie = Cookie {
        name: refresh_cookie_name(app),
        value,
        path: PATH,
        max_age,
        secure,
    };
    response
        .headers_mut()
        .append(header::SET_COOKIE, cookie.header()?);
    Ok(())
}
