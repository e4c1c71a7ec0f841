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
use axum::response::Response;
use axum::routing::get;
use carnet_oauth::metadata::Metadata;
use carnet_oauth::pkce::S256;

use crate::app::App;
use crate::browser::Browser;
use crate::http::failure::Failure;
use crate::http::form::FormBytes;
use crate::http::page::see_other;
use crate::http::visitor::{Visitor, not_by_head};
use crate::interaction::{Door, Interaction, Kept, RESUME_PATH};
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
        .route(PATH, not_by_head(get(by_link).post(by_form), "GET, POST"))
        .route(RESUME_PATH, not_by_head(get(by_page), "GET"))
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

async fn by_link(visitor: Visitor) -> Response {
    visitor.told(begin(&visitor).await)
}

async fn begin(visitor: &Visitor) -> Result<Response, Failure> {
    let parameters = asked(visitor, visitor.raw_query().as_bytes()).await?;
    let browser = Browser::read(&visitor.app, &visitor.headers).await?;
    authorize(visitor, &browser, (parameters, None)).await
}

async fn by_page(visitor: Visitor) -> Response {
    visitor.told(resume(&visitor).await)
}

/// A page of ours has led back.
async fn resume(visitor: &Visitor) -> Result<Response, Failure> {
    let (app, query) = (&visitor.app, visitor.query()?);
    let browser = Browser::read(app, &visitor.headers).await?;
    let name = query.optional("interaction");
    let kept = Kept::find(app, &browser, (name, Some(Door::Authorize))).await?;
    let parameters = Parameters::from(kept.interaction.request.clone());
    let parameters = parameters.in_language_of(visitor, kept.interaction.language.as_deref());
    authorize(visitor, &browser, (parameters, Some(kept))).await
}

/// What somebody's address or form asks for, or what it refers to.
async fn asked(visitor: &Visitor, text: &[u8]) -> Result<Parameters, Failure> {
    let parameters = par::follow(&visitor.app, Parameters::parse(text)?).await?;
    Ok(parameters.in_language_of(visitor, None))
}

/// Whoever is told that it cannot go on may go back to the app.
async fn know_client(visitor: &Visitor, parameters: &Parameters) -> Result<(), Failure> {
    if let Ok(Some(id)) = parameters.once("client_id")
        && let Some(client) = visitor.app.client(id).await?
    {
        visitor.comes_from(&client, parameters.language);
    }
    Ok(())
}

async fn authorize(
    visitor: &Visitor,
    browser: &Browser,
    (parameters, kept): (Parameters, Option<Kept>),
) -> Result<Response, Failure> {
    let app = &visitor.app;
    know_client(visitor, &parameters).await?;
    let request = match AuthorizationRequest::read(app, &parameters).await {
        Ok(request) => request,
        Err(objection) => return object(app, &parameters, objection),
    };
    let visit = Visit {
        app,
        caller: &visitor.caller,
        browser,
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
    let parameters = asked(visitor, &body).await?;
    know_client(visitor, &parameters).await?;
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
