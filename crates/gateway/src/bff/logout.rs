//! `logout`: gives the tokens back, ends the session, and leads to the issuer, where the login itself ends.
//!
//! Spec: RFC 7009 · OpenID Connect RP-Initiated Logout §2, §3

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use carnet_client::cookie::{self, SameSite};
use carnet_client::seal;
use carnet_jose::primitive;
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use super::app::{Asked, Bff, no_store};
use super::session::Session;
use super::{csrf, login, page};
use crate::refusal::Refusal;

/// What a browser needs that goes on to the issuer.
#[derive(Serialize, Deserialize)]
struct Leaving {
    id_token: Option<Zeroizing<String>>,
    return_to: String,
}

/// The same on its way through a script: sealed, and of use in one browser alone, so that nobody reads an ID token on it.
#[derive(Serialize, Deserialize)]
struct Handed {
    leaving: Leaving,
    /// What a cookie of that browser says.
    browser: String,
    /// Seconds since 1970.
    at: u64,
}

/// A script of the app ends the session, and is told the address that it opens next.
pub(super) async fn of_a_script(bff: &Bff, asked: &Asked) -> Result<Response, Refusal> {
    csrf::demand_script(&bff.parts.settings, &asked.head.method, &asked.head.headers)?;
    let return_to = return_to(bff, asked)?;
    let session = bff.session(&asked.head.headers).await?;
    end(bff, &session).await?;
    let leaving = Leaving {
        id_token: session.content.id_token,
        return_to,
    };
    let (url, line) = match handed(bff, leaving) {
        Some((sealed, line)) => (format!("{}?t={sealed}", bff.path("logout/end")), Some(line)),
        None => (bff.parts.settings.after_logout.clone(), None),
    };
    let mut response = gone(bff, Json(json!({ "logout_url": url })).into_response());
    let line = line.map(|line| (header::SET_COOKIE, line));
    response.headers_mut().extend(line);
    Ok(response)
}

/// A link of the app, which knows what only its own session proves with.
pub(super) async fn of_a_link(bff: &Bff, asked: &Asked) -> Result<Response, Refusal> {
    csrf::demand_window(&asked.head.headers)?;
    let return_to = return_to(bff, asked)?;
    let session = bff.session(&asked.head.headers).await?;
    let said = asked.parameter("sid").unwrap_or_default();
    if !session.secret.is_proven_by(bff, said) {
        return Err(PROOF);
    }
    end(bff, &session).await?;
    let leaving = Leaving {
        id_token: session.content.id_token,
        return_to,
    };
    Ok(gone(bff, leave(bff, leaving).await))
}

/// The window that a script has sent here goes on to the issuer: once, and in the browser that has logged out.
pub(super) async fn at_the_issuer(bff: &Bff, asked: &Asked) -> Result<Response, Refusal> {
    csrf::demand_window(&asked.head.headers)?;
    let handed = asked
        .parameter("t")
        .and_then(|sealed| bff.parts.keys.open::<Handed>(HANDED, sealed));
    let name = bff.parts.settings.cookie_name(WHAT);
    let counts = |handed: &Handed| {
        let own = handed.browser.as_bytes();
        let mut said = cookie::values(&asked.head.headers, &name);
        (handed.at..handed.at + LEAVING_SECONDS).contains(&bff.now())
            && said.any(|said| primitive::verify_equal(said.as_bytes(), own))
    };
    let home = || page::see_other(&bff.parts.settings.after_logout);
    let Some(handed) = handed.filter(counts) else {
        return Ok(home());
    };
    let mut response = match bff.is_first("leaving", &handed.browser).await? {
        true => leave(bff, handed.leaving).await,
        false => home(),
    };
    let gone = cookie::set(bff.parts.settings.secure, (&name, ""), 0, SameSite::Lax);
    let gone = gone.map(|line| (header::SET_COOKIE, line));
    response.headers_mut().extend(gone);
    Ok(response)
}

/// The issuer has ended the login, or not; the browser is back.
pub(super) fn come_back(bff: &Bff, asked: &Asked) -> Response {
    let state = asked.parameter("state");
    let return_to = state.and_then(|state| bff.parts.keys.open::<String>(BACK, state));
    page::see_other(&return_to.unwrap_or_else(|| bff.parts.settings.after_logout.clone()))
}

/// Ends a session, and waits a moment for the issuer.
pub(super) async fn end(bff: &Bff, session: &Session) -> Result<(), Refusal> {
    if let Some(giving) = close(bff, session).await? {
        let _ = tokio::time::timeout(GIVING, giving).await;
    }
    Ok(())
}

/// Ends a session: from here on its cookie opens nothing, and what it has open ends. Its refresh token is given back beside it, also when the browser hangs up.
pub(super) async fn close(bff: &Bff, session: &Session) -> Result<Option<JoinHandle<()>>, Refusal> {
    let ended = bff.parts.store.end(&session.secret.digest).await;
    ended.map_err(|error| no_store(&error))?;
    if bff.parts.settings.sealed {
        let times = (bff.now_ms(), session.row.absolute_expires_at);
        bff.parts.flights.end(session.secret.digest, u64::MAX, times);
    }
    bff.parts.streams.look();
    let refresh_token = session.content.refresh_token.clone();
    Ok(refresh_token.map(|refresh_token| bff.parts.tasks.spawn(give_back(bff.clone(), refresh_token))))
}

/// RFC 7009 §2.1: with it, what it has led to.
pub(super) async fn give_back(bff: Bff, refresh_token: Zeroizing<String>) {
    let given_back = match bff.parts.provider.client().await {
        Ok(client) => client.revoke(&refresh_token).await,
        Err(error) => Err(error),
    };
    if let Err(error) = given_back {
        tracing::warn!(%error, "a refresh token could not be given back; it lives until the issuer forgets it");
    }
}

fn return_to(bff: &Bff, asked: &Asked) -> Result<String, Refusal> {
    login::return_url(bff, asked, &bff.parts.settings.after_logout)
}

/// Sealed, and the cookie without which nobody opens it.
fn handed(bff: &Bff, leaving: Leaving) -> Option<(String, HeaderValue)> {
    let settings = &bff.parts.settings;
    let browser = seal::random()?;
    let name = settings.cookie_name(WHAT);
    let line = cookie::set(settings.secure, (&name, &browser), LEAVING_SECONDS, SameSite::Lax)?;
    let handed = Handed {
        leaving,
        browser,
        at: bff.now(),
    };
    Some((bff.parts.keys.seal(HANDED, &handed)?, line))
}

/// To the issuer's address for this; home, when it has none or does not answer.
async fn leave(bff: &Bff, leaving: Leaving) -> Response {
    let url = end_session(bff, &leaving).await;
    page::see_other(&url.unwrap_or(leaving.return_to))
}

async fn end_session(bff: &Bff, leaving: &Leaving) -> Option<String> {
    let mut url = bff.parts.provider.end_session().await?;
    let state = bff.parts.keys.seal(BACK, &leaving.return_to)?;
    {
        let mut query = url.query_pairs_mut();
        query
            .append_pair("post_logout_redirect_uri", &bff.url("logout/callback"))
            .append_pair("state", &state);
        if let Some(id_token) = &leaving.id_token {
            query.append_pair("id_token_hint", id_token);
        }
    }
    Some(url.into())
}

fn gone(bff: &Bff, mut response: Response) -> Response {
    let lines = bff.no_cookie().into_iter().map(|line| (header::SET_COOKIE, line));
    response.headers_mut().extend(lines);
    response
}

const HANDED: &str = "bff leaving";
const WHAT: &str = "leave";
const BACK: &str = "bff back";
/// As long a browser may take to open what it was told.
const LEAVING_SECONDS: u64 = 60;
/// As long a logout waits for the issuer to take a token back; what takes longer goes on by itself.
const GIVING: Duration = Duration::from_secs(2);

const PROOF: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "csrf",
    "the request does not prove that a page of this app has sent it",
);
