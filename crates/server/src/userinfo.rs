//! `/userinfo`: what the client may know about the user who logged in.
//!
//! Spec: OpenID Connect Core §5.3, §5.4, §5.5 · RFC 9449 §7.1

use axum::extract::{FromRequest as _, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use carnet_oauth::claims_request::ClaimsRequest;
use carnet_oauth::metadata::Metadata;
use carnet_oauth::scope::ScopeSet;
use carnet_oauth::standard_claims;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use crate::app::App;
use crate::http::failure::{Failure, Refusal};
use crate::http::form::Form;
use crate::http::origin::open_cors;
use crate::sender::{self, Place};
use crate::token::asked;
use crate::token::bearer::{self, Presented};
use crate::token::bound;
use crate::token::id_token::PASSWORD_ACR;
use crate::token::user_claims::Telling;

const PATH: &str = "/userinfo";

/// The route. No cookie is read here, so the page of any origin may call it.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route(PATH, get(userinfo).post(userinfo))
        .layer(open_cors())
}

/// What discovery says of it, and of ID tokens.
pub(crate) fn advertise(app: &App, metadata: &mut Metadata) {
    let openid = metadata.openid.get_or_insert_default();
    openid.userinfo_endpoint = Some(app.config.issuer.join(PATH));
    openid.subject_types_supported = vec!["public".to_owned()];
    openid.claims_supported = claims_supported();
    openid.claims_parameter_supported = true;
    openid.acr_values_supported = vec![PASSWORD_ACR.to_owned()];
    let algorithms = app.config.keys.algorithms.iter();
    openid.id_token_signing_alg_values_supported =
        algorithms.map(|algorithm| algorithm.name().to_owned()).collect();
}

/// The claims that it may tell.
fn claims_supported() -> Vec<String> {
    let always = [
        "sub",
        "iss",
        "aud",
        "exp",
        "iat",
        "auth_time",
        "nonce",
        "acr",
        "amr",
        "at_hash",
        "sid",
    ];
    let all = always.into_iter().chain(standard_claims::all());
    all.map(str::to_owned).collect()
}

/// §5.3.1: by GET or POST, the token in the header or in a form.
async fn userinfo(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let headers: HeaderMap = request.headers().clone();
    let method = request.method().clone();
    let has_body = method == Method::POST && headers.contains_key(header::CONTENT_TYPE);
    let in_body = match has_body {
        true => Form::from_request(request, &()).await?,
        false => Form::default(),
    };
    let presented = match (
        in_body.optional("access_token"),
        headers.contains_key(header::AUTHORIZATION),
    ) {
        (Some(token), false) => bearer::check(&app, token)
            .await?
            .map_err(|rejected| bound::also_by_proof(bearer::refusal(rejected).into()))?,
        // RFC 6750 §2: one way, never two.
        (Some(_), true) => {
            const REASON: &str = "send the access token in one place";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_request", REASON).into());
        }
        (None, _) => {
            let uri = app.config.issuer.join(PATH);
            bound::authenticate(&app, &headers, (method.as_str(), &uri)).await?
        }
    };
    if !presented.claims.scope.contains("openid") {
        return Err(bearer::insufficient_scope("openid").into());
    }
    let mut response = Json(told(&app, &presented).await?).into_response();
    if presented.claims.cnf.is_some() {
        sender::give(&app, Place::Resource, &mut response)?;
    }
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// What the scopes of the token open, and what its login was asked for by name.
async fn told(app: &App, presented: &Presented) -> Result<Value, Failure> {
    let claims = &presented.claims;
    let client = app.directory.client(&claims.client_id);
    let asked = match (&claims.fam, &client) {
        (Some(fam), Some(_)) => {
            let record = app.store.family(fam).await?;
            asked::read(record.and_then(|record| record.claims).as_deref())?
        }
        // The login API has no such requests.
        _ => ClaimsRequest::default(),
    };
    let none = ScopeSet::default();
    let telling = Telling {
        scope: &claims.scope,
        asked: &asked.userinfo,
        most: client.as_ref().map_or(&none, |client| &client.scope),
    };
    let mut told = telling.about(&presented.user);
    told.insert("sub".to_owned(), json!(presented.user.sub));
    Ok(json!(told))
}
