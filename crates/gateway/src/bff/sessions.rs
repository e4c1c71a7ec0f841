//! `sessions`: where else somebody is logged in, and how they end that.
//!
//! Spec: RFC 10017 §6.1.3.2 · RFC 9110 §9.3.5 (DELETE)

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::app::{Asked, Bff, demand_kept, no_store};
use super::{csrf, logout};
use crate::refusal::Refusal;

pub(super) async fn list(bff: &Bff, asked: &Asked) -> Result<Response, Refusal> {
    demand_kept(bff)?;
    let settings = &bff.parts.settings;
    csrf::demand_script(settings, &asked.head.method, &asked.head.headers)?;
    let session = bff.session(&asked.head.headers).await?;
    bff.touch(&session).await?;
    let of = (settings.client_id.as_str(), session.row.sub.as_str());
    let times = (bff.now_ms(), settings.idle_ms);
    let rows = bff.parts.store.list(of, times).await;
    let told: Vec<Value> = rows
        .map_err(|error| no_store(&error))?
        .iter()
        .map(|row| {
            json!({
                "id": row.name,
                "created_at": row.created_at / 1000,
                "last_seen_at": row.last_seen_at / 1000,
                "user_agent": row.user_agent,
                "current": row.name == session.row.name,
            })
        })
        .collect();
    Ok(Json(told).into_response())
}

pub(super) async fn end(bff: &Bff, asked: &Asked, name: &str) -> Result<Response, Refusal> {
    demand_kept(bff)?;
    let settings = &bff.parts.settings;
    csrf::demand_script(settings, &asked.head.method, &asked.head.headers)?;
    let session = bff.session(&asked.head.headers).await?;
    if name == session.row.name {
        logout::end(bff, &session).await?;
        let mut response = StatusCode::NO_CONTENT.into_response();
        let gone = bff.no_cookie().into_iter().map(|line| (header::SET_COOKIE, line));
        response.headers_mut().extend(gone);
        return Ok(response);
    }
    // Its tokens are sealed under a cookie that is not here: they rest until they end. Nobody can use them without it.
    let of = (settings.client_id.as_str(), session.row.sub.as_str());
    match bff.parts.store.end_named(of, name).await {
        Ok(true) => {
            bff.parts.streams.look();
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Ok(false) => Err(UNKNOWN),
        Err(error) => Err(no_store(&error)),
    }
}

const UNKNOWN: Refusal = Refusal::new(
    StatusCode::NOT_FOUND,
    "session_unknown",
    "you have no session of this name",
);
