//! The answer that carries tokens, and the refresh cookie.
//!
//! Spec: RFC 6749 §5.1

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use carnet_oauth::token_response::TokenResponse;
use carnet_store::Family;
use http::{HeaderValue, header};

use crate::app::App;
use crate::client::Client;
use crate::config::RefreshTokenIn;
use crate::http::cookie::{self, Cookie, SameSite};
use crate::http::failure::Failure;
use crate::token::refresh;

/// The cookie's path: `/auth`, so that a logout can use it when the access token has expired.
const PATH: &str = "/auth";

/// Answers with the family's newest refresh token, where the client takes it.
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

/// The name of the refresh cookie, which clients of the login API know.
pub(super) fn refresh_cookie_name(app: &App) -> &'static str {
    cookie::name(app, "__Secure-refresh_token", "refresh_token")
}

fn set_refresh_cookie(app: &App, response: &mut Response, value: &str, max_age: i64) -> Result<(), Failure> {
    let secure = app.config.issuer.is_https();
    let cookie = Cookie {
        name: refresh_cookie_name(app),
        value,
        path: PATH,
        max_age,
        secure,
        same_site: SameSite::Strict,
    };
    response
        .headers_mut()
        .append(header::SET_COOKIE, cookie.header()?);
    Ok(())
}
