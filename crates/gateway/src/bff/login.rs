//! `login`: begins the code flow, and keeps in the browser what its answer must fit.
//!
//! Spec: RFC 6749 §4.1.1 · RFC 7636 §4 · RFC 9126 · OpenID Connect Core §3.1.2.1 · RFC 8707 §2

use axum::response::Response;
use carnet_client::authorize::Authorization;
use carnet_client::error::ClientError;
use carnet_client::return_to;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::app::{Asked, Bff, UNAVAILABLE};
use super::cookie::{self, SameSite};
use super::{csrf, loop_breaker, page};
use crate::refusal::Refusal;

/// A login under way, in a cookie of this browser alone.
#[derive(Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    pub(super) return_to: String,
    /// The issuer was asked not to show anything: then a no leads back to the app.
    pub(super) silent: bool,
    /// Seconds since 1970.
    at: u64,
}

pub(super) async fn begin(bff: &Bff, asked: &Asked) -> Result<Response, Refusal> {
    csrf::demand_window(&asked.head.headers)?;
    let settings = &bff.parts.settings;
    let return_to = local(bff, asked.parameter("returnUrl").unwrap_or("/"))?;
    if let Some(page) = loop_breaker::stop(bff, asked).await? {
        return Ok(page);
    }
    let mut fields = vec![("scope", settings.scope.as_str())];
    fields.extend(
        settings
            .resources
            .iter()
            .map(|resource| ("resource", resource.as_str())),
    );
    for name in ["prompt", "acr_values"] {
        fields.extend(asked.parameter(name).map(|value| (name, value)));
    }
    let begun = authorization(bff, &fields).await.map_err(|error| down(&error))?;
    let kept = Begun {
        state: begun.state().to_owned(),
        nonce: begun.nonce.clone(),
        verifier: begun.verifier.clone(),
        return_to,
        silent: asked.parameter("prompt") == Some("none"),
        at: bff.now(),
    };
    let name = name_of(bff, &kept.state);
    let sealed = bff.parts.keys.seal(PURPOSE, &kept);
    // Lax: the answer comes by a redirect from the issuer's site.
    let line = sealed.and_then(|value| cookie::set(settings, (&name, &value), LIFE_SECONDS, SameSite::Lax));
    let line = line.ok_or(super::session::BROKEN)?;
    let mut response = page::see_other(&begun.url);
    let headers = response.headers_mut();
    for old in abandoned(bff, &asked.head.headers) {
        let gone = cookie::set(settings, (&old, ""), 0, SameSite::Lax);
        headers.extend(gone.map(|line| (header::SET_COOKIE, line)));
    }
    headers.append(header::SET_COOKIE, line);
    Ok(response)
}

async fn authorization(bff: &Bff, fields: &[(&str, &str)]) -> Result<Authorization, ClientError> {
    let client = bff.parts.provider.client().await?;
    Authorization::begin(&client, &bff.url("callback"), fields)?
        .pushed(&client)
        .await
}

/// 503: the issuer must be asked and does not answer.
pub(super) fn down(error: &ClientError) -> Refusal {
    tracing::warn!(%error, "a login cannot begin or end");
    UNAVAILABLE.with(header::RETRY_AFTER, HeaderValue::from_static("5"))
}

/// A path of the app and nothing else.
pub(super) fn local(bff: &Bff, wanted: &str) -> Result<String, Refusal> {
    match return_to::local(wanted, &bff.parts.settings.origin) {
        path if path == wanted => Ok(path.to_owned()),
        _ => Err(RETURN_URL),
    }
}

/// The login that this browser began with this `state`. Every cookie of the name is tried.
pub(super) fn find(bff: &Bff, headers: &HeaderMap, state: &str) -> Option<Begun> {
    let name = name_of(bff, state);
    let begun = cookie::values(headers, &name).find_map(|value| {
        let begun: Begun = bff.parts.keys.open(PURPOSE, value)?;
        (begun.state == state).then_some(begun)
    })?;
    let age = bff.now().checked_sub(begun.at)?;
    (age < LIFE_SECONDS).then_some(begun)
}

/// `Set-Cookie` that makes a browser forget a login that has come to its end.
pub(super) fn forgotten(bff: &Bff, state: &str) -> Option<HeaderValue> {
    cookie::set(&bff.parts.settings, (&name_of(bff, state), ""), 0, SameSite::Lax)
}

/// Each window has a login of its own: the cookie is named after its `state`.
fn name_of(bff: &Bff, state: &str) -> String {
    let word = |char: &char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_');
    let short: String = state.chars().filter(word).take(6).collect();
    bff.parts.settings.cookie_name(&format!("tx-{short}"))
}

/// Logins that nobody has finished, but for the last two: a browser sends the older first.
fn abandoned(bff: &Bff, headers: &HeaderMap) -> Vec<String> {
    let prefix = name_of(bff, "");
    let all = cookie::pairs(headers).filter(|(name, _)| name.starts_with(&prefix));
    let all: Vec<_> = all.map(|(name, _)| name.to_owned()).collect();
    let gone = all.len().saturating_sub(MOST_AT_ONCE - 1);
    all.into_iter().take(gone).collect()
}

const PURPOSE: &str = "bff login";
const LIFE_SECONDS: u64 = 600;
const MOST_AT_ONCE: usize = 3;

const RETURN_URL: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "return_url_invalid",
    "returnUrl is no path of this app",
);
