//! What this server says of itself, and its public keys.
//!
//! Spec: RFC 8414 §3 · OpenID Connect Discovery §3, §4 · RFC 7517 §5

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use carnet_oauth::metadata::{Metadata, well_known_path};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::app::App;
use crate::http::failure::{Failure, overloaded};
use crate::http::negotiation::is_unchanged;

const OPENID_PATH: &str = "/.well-known/openid-configuration";
const JWKS_PATH: &str = "/.well-known/jwks.json";

/// Both documents; anybody may read them from anywhere. `metadata` is what the features have said.
pub(crate) fn routes(app: &App, mut metadata: Metadata) -> Router<App> {
    metadata.issuer = app.config.issuer.as_str().to_owned();
    metadata.jwks_uri = Some(app.config.issuer.join(JWKS_PATH));
    metadata.scopes_supported = app.directory.scopes();
    let document = Json(metadata);
    let describe = move || async move {
        let cache = [
            (header::CACHE_CONTROL, "public, max-age=300"),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        ];
        (cache, document.clone()).into_response()
    };
    let path = app.config.issuer.path().trim_end_matches('/');
    Router::new()
        .route(&well_known_path(app.config.issuer.path()), get(describe.clone()))
        // OpenID Connect Discovery §4 appends where RFC 8414 §3.1 inserts.
        .route(&format!("{path}{OPENID_PATH}"), get(describe))
        .route(JWKS_PATH, get(jwks))
}

async fn jwks(State(app): State<App>, headers: HeaderMap) -> Result<Response, Failure> {
    let snapshot = app.keys.snapshot();
    // Whoever keeps an empty set refuses every token for as long as he keeps it.
    if snapshot.is_empty() {
        return Err(overloaded(1));
    }
    let mut response = if is_unchanged(&headers, &snapshot.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        (
            [(header::CONTENT_TYPE, "application/jwk-set+json")],
            snapshot.jwks.clone(),
        )
            .into_response()
    };
    let max_age = format!("public, max-age={}", app.config.keys.jwks_max_age.as_seconds());
    let headers = response.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_str(&max_age).map_err(Failure::broken)?,
    );
    headers.insert(
        header::ETAG,
        HeaderValue::from_str(&snapshot.etag).map_err(Failure::broken)?,
    );
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    Ok(response)
}
