//! What the issuer answers over HTTP.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::json;

use super::Issuer;

pub(super) async fn answer(State(issuer): State<Arc<Issuer>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let form: HashMap<String, String> = url::form_urlencoded::parse(&bytes).into_owned().collect();
    let proven = || {
        let shown = parts.headers[header::AUTHORIZATION].to_str().unwrap();
        assert!(shown.starts_with("Basic "));
        *issuer.shown.lock().unwrap() = shown.to_owned();
    };
    let (status, told) = match parts.uri.path() {
        "/.well-known/oauth-authorization-server" => (StatusCode::OK, issuer.metadata()),
        "/jwks" if issuer.manner.lock().unwrap().keyless => (StatusCode::INTERNAL_SERVER_ERROR, json!({})),
        "/jwks" => (StatusCode::OK, issuer.jwks.clone()),
        "/revocations" => {
            proven();
            let message = issuer.taken_back.lock().unwrap().clone();
            let Some(message) = message else {
                return StatusCode::SERVICE_UNAVAILABLE.into_response();
            };
            let event = [(header::CONTENT_TYPE, "text/event-stream")];
            return (event, format!("data: {message}\n\n")).into_response();
        }
        "/token" => {
            proven();
            issuer.token(&form).await
        }
        "/par" => {
            proven();
            let refuses = issuer.manner.lock().unwrap().par_refuses;
            if let Some(error) = refuses {
                return (StatusCode::BAD_REQUEST, axum::Json(json!({ "error": error }))).into_response();
            }
            let uri = format!("urn:par:{}", issuer.number());
            issuer.pushed.lock().unwrap().insert(uri.clone(), form);
            (
                StatusCode::CREATED,
                json!({ "request_uri": uri, "expires_in": 60 }),
            )
        }
        "/revoke" => {
            proven();
            issuer.revocations.fetch_add(1, Ordering::SeqCst);
            drop(issuer.returns.read().await);
            issuer.revoked.lock().unwrap().push(form["token"].clone());
            (StatusCode::OK, json!({}))
        }
        _ => (StatusCode::NOT_FOUND, json!({})),
    };
    (
        status,
        [(header::CONTENT_TYPE, "application/json")],
        Body::from(told.to_string()),
    )
        .into_response()
}
