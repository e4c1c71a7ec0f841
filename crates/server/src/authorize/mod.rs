//! `/oauth/authorize`: the front door. It looks at what is known and picks the next step; pages lead back here.
//!
//! Spec: RFC 6749 §3.1, §4.1 · OpenID Connect Core §3.1.2 · RFC 9126 §4 · RFC 9207

mod answer;
mod claims;
mod implicit;
mod par;
mod parameters;
mod prompt;
mod request;
mod return_address;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use carnet_oauth::metadata::Metadata;
use carnet_oauth::pkce::S256;
use http::{StatusCode, header};

use crate::app::App;
use crate::browser::Browser;
use crate::http::failure::{Failure, Refusal};
use crate::http::form::FormBytes;
use crate::http::page::see_other;
use crate::http::visitor::Visitor;
use crate::interaction::{Door, Interaction, Kept};
use crate::pages::LANGUAGES;
use crate::throttle::Attempt;
use answer::{Visit, about, object, proceed};
use parameters::Parameters;
use request::AuthorizationRequest;
use return_address::ResponseMode;

const PATH: &str = "/oauth/authorize";

/// The routes.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route(PATH, get(by_link).post(by_form).head(not_by_head))
        .merge(implicit::routes())
        .merge(par::routes())
}

/// What discovery says of it.
pub(crate) fn advertise(app: &App, metadata: &mut Metadata) {
    metadata.authorization_endpoint = Some(app.config.issuer.join(PATH));
    metadata.response_types_supported = vec!["code".to_owned()];
    metadata.response_modes_supported = ResponseMode::ALL.map(|mode| mode.name().to_owned()).to_vec();
    metadata.code_challenge_methods_supported = vec![S256.to_owned()];
    metadata.authorization_response_iss_parameter_supported = true;
    par::advertise(app, metadata);
    metadata.ui_locales_supported = LANGUAGES.map(|language| language.tag.to_owned()).to_vec();
}

/// RFC 9110 §9.2.1: HEAD would spend what GET is answered with.
async fn not_by_head() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, POST")]).into_response()
}

async fn by_link(visitor: Visitor) -> Response {
    visitor.told(authorize(&visitor).await)
}

async fn authorize(visitor: &Visitor) -> Result<Response, Failure> {
    let (app, headers) = (&visitor.app, &visitor.headers);
    let query = visitor.raw_query().as_bytes();
    let parameters = Parameters::parse(query).ok_or_else(too_long)?;
    let browser = Browser::read(app, headers).await?;
    let kept = match parameters.get("interaction") {
        Some(id) => Some(Kept::find(app, &browser, (Some(id), Some(Door::Authorize))).await?),
        None => None,
    };
    let parameters = match &kept {
        Some(kept) => kept.interaction.request.clone().into(),
        None => par::follow(app, parameters).await?,
    };
    let request = match AuthorizationRequest::read(app, &parameters).await {
        Ok(request) => request,
        Err(objection) => return object(app, &parameters, objection),
    };
    let visit = Visit {
        app,
        caller: &visitor.caller,
        browser: &browser,
        request: &request,
        at: app.now(),
    };
    let mut response = proceed(&visit, parameters, kept).await?;
    browser.remember(app, &mut response)?;
    Ok(response)
}

/// OpenID Connect Core §3.1.2.1 has POST as well. The form of another site comes without our cookies: what it says is kept, and
/// whoever follows the redirect is looked at.
async fn by_form(visitor: Visitor, request: Request) -> Response {
    visitor.told(keep(&visitor, request).await)
}

async fn keep(visitor: &Visitor, request: Request) -> Result<Response, Failure> {
    let app = &visitor.app;
    let FormBytes(body) = FormBytes::read(request).await?;
    let parameters = Parameters::parse(&body).ok_or_else(too_long)?;
    let parameters = par::follow(app, parameters).await?;
    let request = match AuthorizationRequest::read(app, &parameters).await {
        Ok(request) => request,
        Err(objection) => return object(app, &parameters, objection),
    };
    Attempt::authorization(app, visitor.caller.address)?
        .count(app)
        .await?;
    let interaction = Interaction::of(parameters.into_request(), about(&request));
    let kept = interaction.keep(app, None).await?;
    see_other(&kept.resume())
}

fn too_long() -> Refusal {
    const REASON: &str = "an authorization request has 8 KiB at most";
    Refusal::new(StatusCode::URI_TOO_LONG, "invalid_request", REASON)
}
