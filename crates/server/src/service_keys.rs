//! What services may know of each other: the keys of one, and the signed bundle of all.
//!
//! Spec: RFC 7517 §5 (keys) · RFC 8725 §3.8, §3.11 (the bundle) · RFC 9110 §13.1.2 (If-None-Match)

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use carnet_jose::{base64url, primitive};
use carnet_oauth::service_token::{BUNDLE_PATH, BundledService, ServiceBundle, id};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;

use crate::app::App;
use crate::client::Client;
use crate::config::service_keys;
use crate::http::failure::{Failure, Refusal, overloaded};
use crate::http::negotiation::is_unchanged;
use crate::service_bundle::SignedBundle;

/// Public keys are for everybody: nobody proves who they are here.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route(BUNDLE_PATH, get(bundle))
        .route("/services/{name}/jwks.json", get(jwks))
}

async fn bundle(State(app): State<App>, headers: HeaderMap) -> Result<Response, Failure> {
    let signed = current(&app).await?;
    let content = (signed.body.clone(), "application/jwt");
    answer(&headers, content, &signed.etag)
}

async fn jwks(
    State(app): State<App>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let client = app.client(&name).await?.filter(|client| client.service);
    let unknown = Refusal::new(
        StatusCode::NOT_FOUND,
        "service_unknown",
        "there is no such service",
    );
    let client = client.ok_or(unknown)?;
    let keys = client.jwks.as_ref().map(service_keys);
    let keys = keys.and_then(Result::ok).unwrap_or_default();
    let body = serde_json::to_vec(&json!({ "keys": keys })).map_err(Failure::broken)?;
    let etag = format!("\"{}\"", base64url::encode(&primitive::sha256(&body)));
    answer(&headers, (body.into(), "application/jwk-set+json"), &etag)
}

/// What holds at this moment: a service that was disabled a moment ago is in no bundle that is sent after.
async fn current(app: &App) -> Result<Arc<SignedBundle>, Failure> {
    app.directory.keep(&app.config, &app.store).await?;
    let (sequence, services) = app.directory.services();
    let signer = app.keys.services_signer();
    // Revoked a moment ago: the next round of key keeping brings another.
    let signer = signer.ok_or_else(|| overloaded(1))?;
    let now = app.now_seconds();
    if let Some(last) = app.last_bundle.still_good((sequence, &signer), now) {
        return Ok(last);
    }
    let issuer = app.config.issuer.as_str();
    let services: Vec<_> = services
        .iter()
        .filter_map(|client| bundled(issuer, client))
        .collect();
    let times = &app.config.services;
    let bundle = ServiceBundle {
        iss: issuer.to_owned(),
        iat: now,
        exp: now.saturating_add(times.bundle_ttl.as_seconds()),
        sequence,
        refresh_hint: times.refresh_hint.as_seconds(),
        part: 1,
        parts: 1,
        services: Vec::new(),
    };
    tracing::info!(
        sequence,
        services = services.len(),
        "the bundle of services was signed"
    );
    app.last_bundle
        .sign(bundle, services, &signer)
        .map_err(Failure::broken)
}

fn bundled(issuer: &str, client: &Client) -> Option<BundledService> {
    match service_keys(client.jwks.as_ref()?) {
        Ok(keys) => Some(BundledService {
            iss: id(issuer, &client.id),
            name: client.id.clone(),
            keys,
            calls: client.calls.clone(),
        }),
        Err(why) => {
            tracing::error!(client_id = %client.id, why, "a service is left out of the bundle");
            None
        }
    }
}

fn answer(
    asked: &HeaderMap,
    (body, media_type): (Bytes, &'static str),
    etag: &str,
) -> Result<Response, Failure> {
    let mut response = match is_unchanged(asked, etag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, media_type)], body).into_response(),
    };
    // Caches on the way ask every time: what they kept would outlive a service that was disabled.
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(
        header::ETAG,
        HeaderValue::from_str(etag).map_err(Failure::broken)?,
    );
    Ok(response)
}
