//! `/userinfo`: what the client may know about the user who logged in.
//!
//! Spec: OpenID Connect Core §5.3, §5.4

use axum::extract::{FromRequest as _, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use carnet_oauth::metadata::Metadata;
use carnet_store::User;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::http::failure::{Failure, Refusal};
use crate::http::form::Form;
use crate::http::origin::open_cors;
use crate::token::bearer::{self, Presented};

const PATH: &str = "/userinfo";

/// Each scope and the claims that it opens (§5.4).
const SCOPES: &[(&str, &[&str])] = &[
    (
        "profile",
        &[
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ],
    ),
    ("email", &["email", "email_verified"]),
    ("address", &["address"]),
    ("phone", &["phone_number", "phone_number_verified"]),
];

/// The route. No cookie is read here, so the page of any origin may call it.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route(PATH, get(userinfo).post(userinfo))
        .layer(open_cors())
}

/// What discovery says of it, and of ID tokens.
pub(crate) fn advertise(app: &App, metadata: &mut Metadata) {
    let openid = metadata.openid.get_or_insert_default();
    openid.userinfo_endpoint = app.config.issuer.join(PATH);
    openid.subject_types_supported = vec!["public".to_owned()];
    openid.claims_supported = claims_supported();
    let algorithms = app.config.keys.algorithms.iter();
    openid.id_token_signing_alg_values_supported =
        algorithms.map(|algorithm| algorithm.name().to_owned()).collect();
}

/// The claims that it may tell.
fn claims_supported() -> Vec<String> {
    let told = SCOPES.iter().flat_map(|(_, claims)| claims.iter());
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
    always.iter().chain(told).map(|name| (*name).to_owned()).collect()
}

/// §5.3.1: by GET or POST, the token in the header or in a form.
async fn userinfo(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let headers: HeaderMap = request.headers().clone();
    let has_body = request.method() == Method::POST && headers.contains_key(header::CONTENT_TYPE);
    let in_body = match has_body {
        true => Form::from_request(request, &()).await?,
        false => Form::default(),
    };
    let presented = match (
        in_body.optional("access_token"),
        headers.contains_key(header::AUTHORIZATION),
    ) {
        (Some(token), false) => bearer::check(&app, token).await?.map_err(bearer::refusal)?,
        // RFC 6750 §2: one way, never two.
        (Some(_), true) => {
            const REASON: &str = "send the access token in one place";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_request", REASON).into());
        }
        (None, _) => bearer::authenticate(&app, &headers).await?,
    };
    if !presented.claims.scope.contains("openid") {
        return Err(bearer::insufficient_scope("openid").into());
    }
    let mut response = Json(told(&presented)).into_response();
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// What the scopes of the token open; what is not known is left out, never null (§5.3.2).
fn told(presented: &Presented) -> Map<String, Value> {
    let known = known(&presented.user);
    let mut told = Map::from_iter([("sub".to_owned(), json!(presented.user.sub))]);
    for (scope, claims) in SCOPES {
        if !presented.claims.scope.contains(scope) {
            continue;
        }
        for name in *claims {
            if let Some(value) = known.get(*name).filter(|value| !value.is_null()) {
                told.insert((*name).to_owned(), value.clone());
            }
        }
    }
    told
}

fn known(user: &User) -> Map<String, Value> {
    let stored: Value = serde_json::from_str(&user.claims).unwrap_or_default();
    let mut known = stored.as_object().cloned().unwrap_or_default();
    known.insert("name".to_owned(), json!(user.name));
    known.insert("updated_at".to_owned(), json!(user.updated_at / 1000));
    if !user.email.is_empty() {
        known.insert("email".to_owned(), json!(user.email));
        known.insert("email_verified".to_owned(), json!(user.email_verified));
    }
    known
}
