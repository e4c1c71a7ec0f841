//! A browser that logs in again and again, because what it was given never comes back, is stopped and told why.
//!
//! By the same cookie a login finds what another tab began.
//!
//! Spec: RFC 6265bis §5.7 (cookies that are not kept)

use axum::response::Response;
use carnet_client::cookie::{self, SameSite};
use carnet_jose::base64url;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::app::{Asked, Bff, no_store};
use super::page::{self, Page};
use super::words;
use crate::refusal::Refusal;

/// The logins of this browser that came to a good end of late.
#[derive(Default, Serialize, Deserialize)]
struct Marker {
    logins: Vec<Login>,
    /// How far the issuer's clock was from ours at the last of them, in seconds.
    skew: u64,
}

#[derive(Serialize, Deserialize)]
struct Login {
    /// Seconds since 1970.
    at: u64,
    digest: String,
    /// Its session has ended with the next login, and nobody had ever come with it.
    unheard: bool,
}

impl Login {
    fn session(&self) -> Option<[u8; 32]> {
        base64url::decode(&self.digest).ok()?.try_into().ok()
    }
}

/// `Set-Cookie` that remembers a login with this session, and that nobody had ever come with those that it has ended.
pub(super) fn note(
    bff: &Bff,
    headers: &HeaderMap,
    (digest, skew): (&[u8; 32], u64),
    unheard: &[[u8; 32]],
) -> Option<HeaderValue> {
    let mut marker = read(bff, headers);
    let at = bff.now();
    for login in &mut marker.logins {
        login.unheard |= login.session().is_some_and(|digest| unheard.contains(&digest));
    }
    let digest = base64url::encode(digest);
    marker.logins.push(Login {
        at,
        digest,
        unheard: false,
    });
    let many = marker.logins.len().saturating_sub(MOST);
    marker.logins.drain(..many);
    marker.skew = skew;
    let sealed = bff.parts.keys.seal(PURPOSE, &marker)?;
    let name = bff.parts.settings.cookie_name(WHAT);
    cookie::set(
        bff.parts.settings.secure,
        (&name, &sealed),
        REMEMBERED_SECONDS,
        SameSite::Lax,
    )
}

/// The sessions that this browser was given of late. Unlike their strict cookie this comes along to the end of a login, and nobody else could have sealed it.
pub(super) fn lately(bff: &Bff, headers: &HeaderMap) -> Vec<[u8; 32]> {
    let logins = read(bff, headers).logins;
    logins.iter().filter_map(Login::session).collect()
}

/// A page instead of the next login, when the last ones led nowhere. `lives`: a session has come with this very request.
pub(super) async fn stop(bff: &Bff, asked: &Asked, lives: bool) -> Result<Option<Response>, Refusal> {
    let headers = &asked.head.headers;
    let mut marker = read(bff, headers);
    let window = bff.now().saturating_sub(WINDOW_SECONDS);
    marker.logins.retain(|login| login.at > window);
    if marker.logins.len() < MOST {
        return Ok(None);
    }
    for login in &marker.logins {
        if !is_unheard_of(bff, login).await? {
            return Ok(None);
        }
    }
    tracing::warn!(
        lives,
        "a browser logs in again and again, and asks for nothing with the session that it was given"
    );
    let mut response = diagnosis(bff, headers, (marker.skew, lives));
    let settings = &bff.parts.settings;
    let gone = cookie::set(
        settings.secure,
        (&settings.cookie_name(WHAT), ""),
        0,
        SameSite::Lax,
    );
    response
        .headers_mut()
        .extend(gone.map(|line| (header::SET_COOKIE, line)));
    Ok(Some(response))
}

/// Whether the session of a login lives, and no request has come with it.
async fn is_unheard_of(bff: &Bff, login: &Login) -> Result<bool, Refusal> {
    if login.unheard {
        return Ok(true);
    }
    let Some(digest) = login.session() else {
        return Ok(false);
    };
    let times = (bff.now_ms(), bff.parts.settings.idle_ms);
    let row = bff.parts.store.find(&digest, times).await;
    Ok(row
        .map_err(|error| no_store(&error))?
        .is_some_and(|row| !row.used))
}

fn read(bff: &Bff, headers: &HeaderMap) -> Marker {
    let name = bff.parts.settings.cookie_name(WHAT);
    let mut found = cookie::values(headers, &name);
    let marker = found.find_map(|value| bff.parts.keys.open::<Marker>(PURPOSE, value));
    let mut marker = marker.unwrap_or_default();
    let recent = |login: &Login| (login.at..login.at + REMEMBERED_SECONDS).contains(&bff.now());
    marker.logins.retain(recent);
    marker
}

/// What was received: everything that such a loop was ever due to.
fn diagnosis(bff: &Bff, headers: &HeaderMap, (skew, lives): (u64, bool)) -> Response {
    let settings = &bff.parts.settings;
    let count = cookie::values(
        headers,
        &settings.cookie_name(if settings.sealed { "-0" } else { "" }),
    )
    .count();
    let cookies = match count {
        _ if lives => "The browser sends the session cookie, and the session lives: the app asks for a login again without asking for anything with it.".to_owned(),
        0 => "The browser does not send the session cookie: something on the way takes it away, or it was set for another host.".to_owned(),
        1 => "The browser sends a session cookie that is not known here: the replicas may keep their sessions in different places.".to_owned(),
        many => format!("The browser sends {many} session cookies: one of them was set by another app of this host."),
    };
    let asked = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let host = format!(
        "The browser asked for {}; the app is configured as {}.",
        asked.unwrap_or("no host"),
        settings.origin
    );
    let clock = format!("The clock of the issuer is {skew} seconds from the clock here.");
    let login = bff.path("login");
    let page = Page {
        status: StatusCode::OK,
        words: words::LOOP,
        details: &[&cookies, &host, &clock],
        links: &[(&login, words::LOGIN_AGAIN)],
    };
    page::page(bff, headers, &page)
}

const WHAT: &str = "loop";
const PURPOSE: &str = "bff loop";
const MOST: usize = 3;
const WINDOW_SECONDS: u64 = 60;
/// As long as a login may take that was under way meanwhile.
const REMEMBERED_SECONDS: u64 = 600;
