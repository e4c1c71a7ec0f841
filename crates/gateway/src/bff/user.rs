//! `user`: who is logged in, for the app. Never a token.
//!
//! Spec: RFC 10017 §6.1.3.2

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use carnet_guard::Refused;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::app::{Asked, Bff, UNAVAILABLE};
use super::csrf;
use super::session::{NOBODY, Session};
use crate::refusal::Refusal;

pub(super) async fn tell(bff: &Bff, asked: &Asked) -> Result<Response, Refusal> {
    let settings = &bff.parts.settings;
    let head = &asked.head;
    csrf::demand_script(settings, &head.method, &head.headers)?;
    let session = match living(bff, asked).await {
        Err(refusal) if refusal == NOBODY && settings.null_for_nobody => {
            return Ok(Json(Value::Null).into_response());
        }
        session => session?,
    };
    let now = bff.now_ms();
    let slides = asked.parameter("slide") != Some("false");
    let mut seen = session.row.last_seen_at;
    if slides {
        bff.touch(&session).await?;
        seen = now;
    }
    let ends = session
        .row
        .absolute_expires_at
        .min(seen.saturating_add(settings.idle_ms));
    let seconds = ends.saturating_sub(now).max(0) / 1000;
    let mut told = session.content.claims.clone();
    told.insert("bff:session_expires_in".to_owned(), json!(seconds));
    if let Some(proof) = session.secret.proof(bff) {
        let url = format!("{}?sid={proof}", bff.path("logout"));
        told.insert("bff:logout_url".to_owned(), json!(url));
    }
    let mut response = (StatusCode::OK, Json(told)).into_response();
    // Other tokens than the browser carries go with the answer in any case: nobody else brings them.
    if slides || session.is_ahead() {
        let lines = bff.cookies(&session).into_iter();
        let lines = lines.map(|line| (header::SET_COOKIE, line));
        response.headers_mut().extend(lines);
    }
    Ok(response)
}

/// The session, unless the issuer has taken it back, as on every route. It may have taken back the token alone: then there is another.
async fn living(bff: &Bff, asked: &Asked) -> Result<Session, Refusal> {
    let session = bff.session(&asked.head.headers).await?;
    let Some(guard) = &asked.guard else {
        return Ok(session);
    };
    let session = match guard.is_not_taken_back(&session.content.access_token) {
        Ok(()) => return Ok(session),
        Err(Refused::Unavailable) => return Err(nobody_can_tell()),
        Err(_) => bff.next(session).await?,
    };
    match guard.is_not_taken_back(&session.content.access_token) {
        Ok(()) => Ok(session),
        Err(Refused::Unavailable) => Err(nobody_can_tell()),
        Err(_) => Err(NOBODY),
    }
}

fn nobody_can_tell() -> Refusal {
    UNAVAILABLE.with(header::RETRY_AFTER, HeaderValue::from_static("5"))
}
