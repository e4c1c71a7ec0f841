//! `login`: begins the code flow, and keeps in the browser what its answer must fit.
//!
//! Spec: RFC 6749 §4.1.1 · RFC 7636 §4 · OpenID Connect Core §3.1.2.1 · RFC 9700 §4.7 (login CSRF)

use axum::extract::{RawQuery, State};
use axum::response::Response;
use carnet_client::authorize::{self, Authorization};
use carnet_client::cookie::{self, SameSite};
use carnet_client::return_to;
use http::{HeaderMap, Method, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::app::Web;
use super::asked::Asked;
use super::page::{Answer, go_on, refused, see_other, unavailable};
use super::session::Session;
use super::source;

/// A login under way, in a cookie of this browser alone.
#[derive(Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    pub(super) return_to: String,
    /// Seconds since 1970.
    pub(super) at: u64,
    /// The issuer was asked not to show anything: then a no leads back to the app.
    #[serde(default)]
    pub(super) silent: bool,
    /// What it is to be beyond a login.
    #[serde(default)]
    pub(super) asked: Option<Asked>,
    /// The session that this browser has had until now, which ends when the next one begins: the answer comes by a way on which its strict cookies stay
    /// behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) before: Option<Before>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Before {
    pub(super) id: String,
    /// Its refresh token, where there is room for it.
    pub(super) token: Option<String>,
}

impl Before {
    fn of(session: Session) -> Self {
        let token = session.held.refresh.filter(|token| token.len() < LONGEST_TOKEN);
        let id = session.id;
        Self { id, token }
    }
}

pub(super) async fn begin(State(web): State<Web>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let settings = &web.parts.settings;
    let query = query.unwrap_or_default();
    let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let Some(wishes) = authorize::wishes(&query) else {
        const TEXT: &str = "This link asks for a login in a way that there is not.";
        let answer = (Answer::to(&headers), StatusCode::BAD_REQUEST);
        return refused("login_request_invalid", answer, TEXT);
    };
    let before = Session::read(&web, &headers).map(Before::of);
    let seen = before.is_some() || query.iter().any(|(name, _)| name == HERE);
    if !seen && source::is_link_from_outside(&Method::GET, &headers) {
        return go_on(&from_here(&query));
    }
    let return_to = query.iter().find(|(name, _)| name == "return_to");
    let return_to = return_to.map_or("", |(_, path)| path);
    let down = |why: &dyn std::fmt::Display| {
        tracing::warn!(error = %why, "a login cannot begin");
        unavailable(Answer::to(&headers))
    };
    let client = match web.parts.provider.client().await {
        Ok(client) => client,
        Err(error) => return down(&error),
    };
    let mut fields = vec![("scope", settings.scope.as_str())];
    // RFC 8707 §2: an absolute URI without a fragment.
    if settings.audience.contains(':') && !settings.audience.contains('#') {
        fields.push(("resource", settings.audience.as_str()));
    }
    fields.extend_from_slice(&wishes);
    let begun = match Authorization::begin(&client, &web.redirect_uri(), &fields) {
        Ok(begun) => begun,
        Err(error) => return down(&error),
    };
    let kept = Begun {
        state: begun.state().to_owned(),
        nonce: begun.nonce.clone(),
        verifier: begun.verifier.clone(),
        return_to: return_to::local(return_to, &settings.origin).to_owned(),
        at: web.now(),
        silent: wishes.contains(&("prompt", "none")),
        asked: Asked::by(&wishes, web.now()),
        before,
    };
    leave(&web, &headers, (&begun.url, &kept)).unwrap_or_else(|| down(&"its cookie cannot be made"))
}

/// The same address, opened by a page of ours: then the strict cookies come along, and the session that was there is known.
fn from_here(query: &[(String, String)]) -> String {
    let mut same = url::form_urlencoded::Serializer::for_suffix(String::from("?"), 1);
    same.extend_pairs(query).append_pair(HERE, "1").finish()
}

/// To the issuer, with the cookie that its answer must fit.
fn leave(web: &Web, headers: &HeaderMap, (url, kept): (&str, &Begun)) -> Option<Response> {
    let secure = web.parts.settings.secure;
    let sealed = web.parts.keys.seal(PURPOSE, kept)?;
    // Lax: the answer comes by a redirect from the issuer's site.
    let line = cookie::set(
        secure,
        (&name_of(web, &kept.state), &sealed),
        LIFE_SECONDS,
        SameSite::Lax,
    )?;
    let mut response = see_other(url);
    for old in abandoned(web, headers) {
        let gone = cookie::set(secure, (&old, ""), 0, SameSite::Lax);
        response
            .headers_mut()
            .extend(gone.map(|line| (header::SET_COOKIE, line)));
    }
    response.headers_mut().append(header::SET_COOKIE, line);
    Some(response)
}

/// The login that this browser began with this `state`.
pub(super) fn find(web: &Web, headers: &HeaderMap, state: &str) -> Option<Begun> {
    let name = name_of(web, state);
    let mut found = cookie::pairs(headers).filter(|(key, _)| *key == name);
    let begun: Begun = found.find_map(|(_, value)| web.parts.keys.open(PURPOSE, value))?;
    let age = web.now().checked_sub(begun.at)?;
    (age < LIFE_SECONDS).then_some(begun)
}

/// Each window has a login of its own: the cookie is named after its `state`.
pub(super) fn name_of(web: &Web, state: &str) -> String {
    let word = |char: &char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_');
    let short: String = state.chars().filter(word).take(8).collect();
    format!("{}_{short}", web.parts.settings.cookie_name_of(PURPOSE))
}

/// Logins that nobody has finished, but for the last two: a browser sends the older first.
fn abandoned(web: &Web, headers: &HeaderMap) -> Vec<String> {
    let prefix = name_of(web, "");
    let all = cookie::pairs(headers).filter(|(name, _)| name.starts_with(&prefix));
    let all: Vec<_> = all.map(|(name, _)| name.to_owned()).collect();
    let keep = all.len().saturating_sub(2);
    all.into_iter().take(keep).collect()
}

const HERE: &str = "here";
const PURPOSE: &str = "login";
const LIFE_SECONDS: u64 = 600;
/// It must fit into the cookie of a login.
const LONGEST_TOKEN: usize = 1024;
