//! `silent-login`: a frame of the app finds out whether somebody is logged in at the issuer, and logs them in without showing anything.
//!
//! Spec: OpenID Connect Core §3.1.2.1 (`prompt=none`), §3.1.2.6 · WHATWG HTML §9.3 (`postMessage`) · CSP Level 3 §6.4.2 (`frame-ancestors`)

use axum::response::{IntoResponse as _, Response};
use carnet_client::seal;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::app::{Asked, Bff, UNKNOWN};
use super::login::{Place, Start};
use super::{callback, csrf, login};
use crate::refusal::Refusal;

/// Where the issuer sends the frame.
pub(super) async fn begin(bff: &Bff, asked: &Asked) -> Result<Response, Refusal> {
    offered(bff)?;
    csrf::demand_frame(&asked.head.headers)?;
    bff.count(asked.client)?;
    let start = Start {
        wishes: vec![("prompt", "none")],
        return_to: "/".to_owned(),
        place: Place::Frame,
        before: bff.session_before(&asked.head.headers).await?,
    };
    match login::start(bff, &asked.head.headers, start).await {
        Ok(response) => Ok(response),
        Err(error) => {
            let refused = login::misconfigured(bff, &asked.head.headers, &error);
            let headers = refused.map_or_else(|_| HeaderMap::new(), |response| response.headers().clone());
            Ok(told(false, &headers))
        }
    }
}

/// The issuer's answer. What comes of it is told to the page around the frame, and to nobody else.
pub(super) async fn end(bff: &Bff, asked: &Asked) -> Result<Response, Refusal> {
    offered(bff)?;
    Ok(match callback::outcome(bff, asked, Place::Frame).await {
        Ok(outcome) => told(outcome.logged_in, outcome.response.headers()),
        Err(refusal) => {
            tracing::info!(code = refusal.code(), "a silent login came to no end");
            told(false, &HeaderMap::new())
        }
    })
}

fn offered(bff: &Bff) -> Result<(), Refusal> {
    match bff.parts.settings.silent_login {
        true => Ok(()),
        false => Err(UNKNOWN),
    }
}

/// A page without anything to see, which pages of the app alone may hold in a frame.
fn told(logged_in: bool, headers: &HeaderMap) -> Response {
    let nonce = seal::random().unwrap_or_default();
    // The page around may be of the app alone: whoever else listens hears nothing.
    let body = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Login</title><script nonce=\"{nonce}\">\
         parent.postMessage({{source:'bff-silent-login',isLoggedIn:{logged_in}}},location.origin)</script></html>"
    );
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    );
    let mut response = (
        StatusCode::OK,
        [(header::CONTENT_TYPE, "text/html; charset=utf-8")],
        body,
    )
        .into_response();
    let lines = response.headers_mut();
    lines.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        lines.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    let cookies = headers.get_all(header::SET_COOKIE).iter().cloned();
    lines.extend(cookies.map(|line| (header::SET_COOKIE, line)));
    response
}
