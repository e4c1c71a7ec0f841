//! `POST /oauth/introspect`: whether a token may be used at the resource server that asks.
//!
//! Spec: RFC 7662 · RFC 9701 §4, §5 (signed answers)

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use carnet_oauth::introspection::{IntrospectionResponse, MEDIA_TYPE, SignedIntrospection};
use carnet_oauth::metadata::Metadata;
use http::{HeaderValue, header};

use crate::app::App;
use crate::audit::Caller;
use crate::client_auth::authenticate_resource;
use crate::http::failure::{Failure, overloaded};
use crate::http::form::Posted;
use crate::http::negotiation::accepts;
use crate::resource::Resource;
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
    let algorithms = app.config.keys.algorithms.iter();
    metadata.introspection_signing_alg_values_supported =
        algorithms.map(|algorithm| algorithm.name().to_owned()).collect();
}

async fn introspect(State(app): State<App>, caller: Caller, posted: Posted) -> Result<Response, Failure> {
    let Posted { headers, form } = posted;
    let resource = authenticate_resource(&app, &caller, &headers, &form).await?;
    // token_type_hint is only a hint, and there is one type that a resource server may ask about (§2.1).
    let token = form.required("token")?;
    let answer = match bearer::inspect(&app, token).await? {
        // §4: what is meant for another resource is nothing to this one.
        Ok(claims) if claims.aud.contains(&resource.audience) => IntrospectionResponse::active(claims),
        _ => IntrospectionResponse::inactive(),
    };
    // §4: whoever accepts a signed answer gets one.
    match accepts(&headers, MEDIA_TYPE) {
        true => signed(&app, resource, answer),
        false => Ok(Json(answer).into_response()),
    }
}

/// §5: signed as the tokens of the resource are; where those have a shared secret, with what we publish.
fn signed(app: &App, resource: &Resource, answer: IntrospectionResponse) -> Result<Response, Failure> {
    let id = resource.introspection.as_ref().map(|(id, _)| id.clone());
    let claims = SignedIntrospection {
        iss: app.config.issuer.as_str().to_owned(),
        aud: id.unwrap_or_default(),
        iat: app.now_seconds(),
        token_introspection: answer,
    };
    let signer = app.keys.introspection_signer(resource.signing(None));
    // Revoked a moment ago: the next round of key keeping brings another.
    let signer = signer.ok_or_else(|| overloaded(1))?;
    let token = signer.sign(&claims).map_err(Failure::broken)?;
    let kind = HeaderValue::from_static(MEDIA_TYPE);
    Ok(([(header::CONTENT_TYPE, kind)], token).into_response())
}
