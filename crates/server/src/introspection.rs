//! `POST /oauth/introspect`: whether a token may be used at the resource server that asks.
//!
//! Spec: RFC 7662

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use carnet_oauth::introspection::IntrospectionResponse;
use carnet_oauth::metadata::Metadata;
use http::HeaderMap;

use crate::app::App;
use crate::client_auth::authenticate_resource;
use crate::http::failure::Failure;
use crate::http::form::Form;
use crate::token::bearer;

const PATH: &str = "/oauth/introspect";

/// The route.
pub(crate) fn routes() -> Router<App> {
    Router::new().route(PATH, post(introspect))
}

/// What discovery says of it.
pub(crate) fn advertise(app: &App, metadata: &mut Metadata) {
    metadata.introspection_endpoint = Some(app.config.issuer.join(PATH));
    metadata.introspection_endpoint_auth_methods_supported = vec!["client_secret_basic".to_owned()];
}

async fn introspect(State(app): State<App>, headers: HeaderMap, form: Form) -> Result<Response, Failure> {
    let resource = authenticate_resource(&app, &headers, &form)?;
    // token_type_hint is only a hint, and there is one type that a resource server may ask about (§2.1).
    let token = form.required("token")?;
    let answer = match bearer::inspect(&app, token).await? {
        // §4: what is meant for another resource is nothing to this one.
        Ok(claims) if claims.aud.contains(&resource.audience) => IntrospectionResponse::active(claims),
        _ => IntrospectionResponse::inactive(),
    };
    Ok(Json(answer).into_response())
}
