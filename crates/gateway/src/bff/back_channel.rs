//! `backchannel`: the issuer says that a session has ended, or all sessions of a user.
//!
//! Spec: OpenID Connect Back-Channel Logout §2.4 – §2.8

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use carnet_jose::Error;
use http::request::Parts as Head;
use http::{StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Map, Value};
use tokio::time::{Duration, timeout};

use super::app::{Asked, Bff, demand_kept, no_keys, no_store};
use crate::refusal::{Refusal, broken};

/// Why a logout token ends nothing.
enum Unheard {
    /// It is none that is valid here, for this reason.
    Invalid(&'static str),
    /// Whether it is one cannot be said without the keys of the issuer: it may come again.
    Keyless,
}

pub(super) async fn end(bff: &Bff, asked: &Asked, body: Body) -> Result<Response, Refusal> {
    demand_kept(bff)?;
    let token = token_of(&asked.head, body).await;
    let claims = match &token {
        Some(token) => verified(bff, token).await,
        None => Err(Unheard::Invalid("there is none")),
    };
    let claims = match claims {
        Ok(claims) => claims,
        Err(unheard) => {
            // Only now: an issuer that ends many sessions at once is heard.
            bff.count(asked.client)?;
            return Err(match unheard {
                Unheard::Invalid(why) => refused(why),
                Unheard::Keyless => no_keys(),
            });
        }
    };
    // An issuer that does not wait for it would not be heard a second time.
    let ended = bff.parts.tasks.spawn(ended(bff.clone(), claims)).await;
    ended.unwrap_or_else(|error| Err(broken(error)))?;
    Ok(StatusCode::OK.into_response())
}

/// It has come when it is done: one that met a store that does not answer may be said again, and what it ends twice was ended.
async fn ended(bff: Bff, claims: Map<String, Value>) -> Result<(), Refusal> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let jti = text("jti").unwrap_or_default();
    if bff.has_come("jti", jti).await? {
        return Err(refused("it has come before"));
    }
    let (client_id, store) = (&bff.parts.settings.client_id, &bff.parts.store);
    let ended = store.end_said(client_id, (text("sub"), text("sid"))).await;
    let ended = ended.map_err(|error| no_store(&error))?;
    bff.parts.streams.look();
    tracing::info!(ended, "the issuer has ended sessions");
    match bff.is_first("jti", jti).await? {
        true => Ok(()),
        false => Err(refused("it has come before")),
    }
}

fn refused(why: &'static str) -> Refusal {
    tracing::warn!(why, "a logout token was refused");
    INVALID
}

/// §2.5: a form with the token; nothing else of it counts.
async fn token_of(head: &Head, body: Body) -> Option<String> {
    let kind = head.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return None;
    }
    // Anybody may begin one.
    let body = timeout(PATIENCE, Limited::new(body, MOST_BYTES).collect()).await;
    let bytes = body.ok()?.ok()?.to_bytes();
    let mut found = url::form_urlencoded::parse(&bytes).filter(|(name, _)| name == "logout_token");
    let first = found.next().map(|(_, value)| value.into_owned());
    first.filter(|_| found.next().is_none())
}

/// §2.6. The type, the issuer, the audience and the times are the verifier's.
async fn verified(bff: &Bff, token: &str) -> Result<Map<String, Value>, Unheard> {
    let keys = bff.parts.login.keys();
    keys.prepare().await;
    let verify = || {
        bff.parts
            .logout_tokens
            .verify_owned::<Map<String, Value>>(token, bff.now())
    };
    let verified = match verify() {
        Err(Error::UnknownKeyId) => {
            keys.look_for_key_of(token).await;
            verify()
        }
        verified => verified,
    };
    let claims = match verified {
        Ok(verified) => verified.claims,
        Err(Error::KeysUnavailable) => return Err(Unheard::Keyless),
        Err(Error::UnknownKeyId) if keys.are_withheld() => return Err(Unheard::Keyless),
        Err(error) => return Err(Unheard::Invalid(error.code())),
    };
    said(&claims).map_err(Unheard::Invalid)?;
    Ok(claims)
}

/// §2.4: what a logout token says.
fn said(claims: &Map<String, Value>) -> Result<(), &'static str> {
    let event = claims.get("events").and_then(|events| events.get(EVENT));
    if !event.is_some_and(Value::is_object) {
        return Err("the event is another");
    }
    if claims.contains_key("nonce") {
        return Err("it has a nonce, as ID tokens have");
    }
    let named = |name: &str| {
        claims
            .get(name)
            .and_then(Value::as_str)
            .is_some_and(|text| !text.is_empty())
    };
    if !named("sub") && !named("sid") {
        return Err("it names neither user nor session");
    }
    // Without a name it could come again and again.
    if !named("jti") {
        return Err("it has no jti");
    }
    Ok(())
}

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// How long the form may take.
const PATIENCE: Duration = Duration::from_secs(10);
const MOST_BYTES: usize = 64 * 1024;

const INVALID: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "logout_token_invalid",
    "there is no logout token that is valid here",
);
