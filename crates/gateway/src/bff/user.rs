//! `user`: who is logged in, for the app. Never a token.
//!
//! Spec: RFC 10017 §6.1.3.2

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::app::{Asked, Bff};
use super::csrf;
use super::session::NOBODY;
use crate::refusal::Refusal;

pub(super) async fn tell(bff: &Bff, asked: &Asked) -> Result<Response, Refusal> {
    let settings = &bff.parts.settings;
    let head = &asked.head;
    csrf::demand_script(settings, &head.method, &head.headers)?;
    let session = match bff.session(&head.headers).await {
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
    if slides {
        let lines = bff.cookies(&session).into_iter();
        let lines = lines.map(|line| (header::SET_COOKIE, line));
        response.headers_mut().extend(lines);
    }
    Ok(response)
}
