//! `GET /auth/me`: the user's own claims.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use serde::Serialize;

use super::holder;
use crate::app::App;
use crate::http::failure::Failure;

/// What the user may know about their own token.
#[derive(Serialize)]
struct Me {
    sub: String,
    email: String,
    email_verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    roles: Vec<String>,
    permissions: Vec<String>,
    client_id: String,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
}

pub(super) async fn me(State(app): State<App>, headers: HeaderMap) -> Result<Response, Failure> {
    let presented = holder::authenticate(&app, &headers).await?;
    let (claims, user) = (presented.claims, presented.user);
    let me = Me {
        sub: user.sub,
        email: user.email,
        email_verified: user.email_verified,
        name: user.name,
        roles: claims.roles,
        permissions: claims.permissions,
        client_id: claims.client_id,
        scope: claims.scope.to_string(),
        sid: claims.sid,
    };
    Ok(Json(me).into_response())
}
