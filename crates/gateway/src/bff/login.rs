//! `login`: begins the code flow, and keeps in the browser what its answer must fit.
//!
//! Spec: RFC 6749 §4.1.1 · RFC 7636 §4 · RFC 9126 · OpenID Connect Core §3.1.2.1 · RFC 8707 §2

use axum::response::Response;
use carnet_client::authorize::{self, Authorization};
use carnet_client::cookie::{self, SameSite};
use carnet_client::error::ClientError;
use carnet_client::return_to;
use carnet_client::seal;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::app::{Asked, Bff, UNAVAILABLE};
use super::page::{self, Page};
use super::session::Session;
use super::{csrf, loop_breaker, words};
use crate::refusal::Refusal;
use crate::target;

/// A login under way, in a cookie of this browser alone.
#[derive(Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    pub(super) return_to: String,
    /// The issuer was asked not to show anything: then a no leads back to the app.
    pub(super) silent: bool,
    pub(super) place: Place,
    /// Of it, and of the code that comes, the cookie of the session is made.
    pub(super) seed: Zeroizing<String>,
    /// The session that this browser has had until now, which ends when the next one begins: the answer comes by a way on which its strict cookie stays
    /// behind.
    pub(super) before: Option<Zeroizing<String>>,
    /// Its refresh token, where no other replica can find it.
    pub(super) token_before: Option<Zeroizing<String>>,
    /// Seconds since 1970.
    at: u64,
}

/// Where a login happens, and its answer is to arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Place {
    Window,
    Frame,
}

impl Place {
    /// The endpoint that is the redirect URI.
    pub(super) fn callback(self) -> &'static str {
        match self {
            Self::Window => "callback",
            Self::Frame => "silent-login/callback",
        }
    }
}

/// A login that is about to begin.
pub(super) struct Start<'a> {
    pub(super) wishes: Vec<(&'static str, &'a str)>,
    pub(super) return_to: String,
    pub(super) place: Place,
    pub(super) before: Option<Session>,
}

pub(super) async fn begin(bff: &Bff, asked: &Asked) -> Result<Response, Refusal> {
    csrf::demand_window(&asked.head.headers)?;
    let return_to = return_url(bff, asked, "/")?;
    let wishes = authorize::wishes(&asked.query).ok_or(WISH)?;
    // Only now: no picture on a page of another site counts for whoever looks at it.
    bff.count(asked.client)?;
    let before = bff.session_before(&asked.head.headers).await?;
    if before.is_none() && csrf::is_sent_by_others(&asked.head.headers) && asked.parameter(HERE).is_none() {
        return Ok(page::go_on(bff, &asked.head.headers, &from_here(bff, asked)));
    }
    if let Some(page) = loop_breaker::stop(bff, asked, before.is_some()).await? {
        return Ok(page);
    }
    let start = Start {
        wishes,
        return_to,
        place: Place::Window,
        before,
    };
    match self::start(bff, &asked.head.headers, start).await {
        Ok(response) => Ok(response),
        Err(error) => misconfigured(bff, &asked.head.headers, &error),
    }
}

/// To the issuer, and the cookie that the answer must fit.
pub(super) async fn start(bff: &Bff, headers: &HeaderMap, start: Start<'_>) -> Result<Response, ClientError> {
    let Start {
        wishes,
        return_to,
        place,
        before,
    } = start;
    let begun = authorization(bff, &wishes, place).await?;
    let sealed = bff.parts.settings.sealed;
    let token = before
        .as_ref()
        .and_then(|session| session.content.refresh_token.clone());
    let none = || ClientError::Invalid("the cookie of a login cannot be made".to_owned());
    let kept = Begun {
        state: begun.state().to_owned(),
        nonce: begun.nonce.clone(),
        verifier: begun.verifier.clone(),
        return_to,
        silent: wishes.contains(&("prompt", "none")),
        place,
        seed: Zeroizing::new(seal::random().ok_or_else(none)?),
        token_before: token.filter(|token| sealed && token.len() < LONGEST_TOKEN),
        before: before.map(|session| session.secret.value),
        at: bff.now(),
    };
    let secure = bff.parts.settings.secure;
    let name = name_of(bff, &kept.state);
    let sealed = bff.parts.keys.seal(PURPOSE, &kept);
    // Lax: the answer comes by a redirect from the issuer's site.
    let line = sealed.and_then(|value| cookie::set(secure, (&name, &value), LIFE_SECONDS, SameSite::Lax));
    let mut response = page::see_other(&begun.url);
    let lines = response.headers_mut();
    for old in abandoned(bff, headers) {
        let gone = cookie::set(secure, (&old, ""), 0, SameSite::Lax);
        lines.extend(gone.map(|line| (header::SET_COOKIE, line)));
    }
    lines.append(header::SET_COOKIE, line.ok_or_else(none)?);
    Ok(response)
}

/// The same address, opened by a page of ours: then the strict cookie comes along, and the session that was there is known.
fn from_here(bff: &Bff, asked: &Asked) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(&asked.query).append_pair(HERE, "1");
    format!("{}?{}", bff.path("login"), query.finish())
}

async fn authorization(
    bff: &Bff,
    wishes: &[(&str, &str)],
    place: Place,
) -> Result<Authorization, ClientError> {
    let settings = &bff.parts.settings;
    let mut fields = vec![("scope", settings.scope.as_str())];
    let resources = settings.resources.iter();
    fields.extend(resources.map(|resource| ("resource", resource.as_str())));
    fields.extend_from_slice(wishes);
    let client = bff.parts.provider.client().await?;
    Authorization::begin(&client, &bff.url(place.callback()), &fields)?
        .pushed(&client)
        .await
}

/// 503: the issuer must be asked and does not answer.
pub(super) fn down(error: &ClientError) -> Refusal {
    tracing::warn!(%error, "a login cannot begin or end");
    UNAVAILABLE.with(header::RETRY_AFTER, HeaderValue::from_static("5"))
}

/// Whether it may go away by itself.
pub(super) fn is_passing(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable(_) => true,
        ClientError::Status(_, status) => *status >= 500 || *status == 429,
        _ => false,
    }
}

/// The issuer does not take what the operator has configured. People cannot do anything about it, and are told so.
pub(super) fn misconfigured(
    bff: &Bff,
    headers: &HeaderMap,
    error: &ClientError,
) -> Result<Response, Refusal> {
    if is_passing(error) {
        return Err(down(error));
    }
    let said = match error {
        ClientError::Refused(code, _) => format!("The issuer says: {code}."),
        _ => "The issuer does not answer as an issuer does.".to_owned(),
    };
    let redirect_uri = bff.url("callback");
    let (code, client_id) = (words::MISCONFIGURED.code, &bff.parts.settings.client_id);
    tracing::error!(code, %error, client_id, redirect_uri, "the issuer does not take the logins of this app");
    let page = Page {
        status: StatusCode::BAD_GATEWAY,
        words: words::MISCONFIGURED,
        details: &[&said],
        links: &[("/", words::BACK)],
    };
    Ok(page::page(bff, headers, &page))
}

/// Where a login begins that leads there.
pub(super) fn path_to(bff: &Bff, return_to: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("returnUrl", return_to);
    format!("{}?{}", bff.path("login"), query.finish())
}

/// The path of the app that a request names as `returnUrl`.
pub(super) fn return_url(bff: &Bff, asked: &Asked, otherwise: &str) -> Result<String, Refusal> {
    let wanted = asked.at_most_one("returnUrl").ok_or(RETURN_URL)?;
    local(wanted.unwrap_or(otherwise), &bff.parts.settings.origin)
}

/// A path of the app and nothing else, in the one spelling in which paths are matched.
pub(super) fn local(wanted: &str, origin: &str) -> Result<String, Refusal> {
    let end = wanted.find(['?', '#']).unwrap_or(wanted.len());
    let (path, rest) = wanted.split_at(end);
    let path = target::path(path).map_err(|_| RETURN_URL)?;
    let whole = format!("{path}{rest}");
    // What is behind the path stays as it is, and is visible ASCII. What cannot be gone back to with it is gone back to without.
    let mut ways = [whole.as_str(), &path].into_iter();
    if let Some(way) = ways.find(|way| return_to::local(way, origin) == *way) {
        return Ok(way.to_owned());
    }
    match path.len() > return_to::MOST_BYTES {
        true => Ok("/".to_owned()),
        false => Err(RETURN_URL),
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
    cookie::set(
        bff.parts.settings.secure,
        (&name_of(bff, state), ""),
        0,
        SameSite::Lax,
    )
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
    // However many there are, an answer has room for some: the next login takes more away.
    all.into_iter().take(gone.min(MOST_FORGOTTEN)).collect()
}

const PURPOSE: &str = "bff login";
const LIFE_SECONDS: u64 = 600;
const MOST_AT_ONCE: usize = 3;
const MOST_FORGOTTEN: usize = 20;
/// Says that a page of ours has opened the address.
const HERE: &str = "here";
/// It must fit into the cookie of a login.
const LONGEST_TOKEN: usize = 1024;

const RETURN_URL: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "return_url_invalid",
    "returnUrl is no path of this app, or one that programs read in different ways",
);
const WISH: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "login_request_invalid",
    "what is wished of the login is there twice, or is nothing that OpenID Connect knows",
);
