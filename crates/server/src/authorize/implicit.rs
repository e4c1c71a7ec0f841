//! The page that shows how to move from the implicit flow, or from the password grant, with the client's own values filled in.
//!
//! Spec: RFC 9700 §2.1.2, §2.4 · OAuth 2.1 §10.1

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use carnet_oauth::error_code::ErrorCode;
use serde_json::json;
use url::Url;

use super::parameters::Parameters;
use super::return_address::ReturnAddress;
use crate::app::App;
use crate::http::failure::Failure;
use crate::http::page::{View, page};
use crate::http::visitor::Visitor;
use crate::migration::{Before, PASSWORD, PATH};

pub(super) fn routes() -> Router<App> {
    Router::new().route(PATH, get(show))
}

/// Where whoever wants tokens at the front door is shown how to move on.
pub(super) fn help(
    app: &App,
    parameters: &Parameters,
    (to, code): (&ReturnAddress, ErrorCode),
) -> Option<String> {
    let before = Before {
        client_id: parameters.get("client_id")?,
        redirect_uri: Some(&to.text),
        // What was pushed was not to be seen in an address.
        scope: parameters.get("scope").filter(|_| parameters.pushed().is_none()),
        response_type: parameters.get("response_type"),
        grant_type: None,
    };
    (code == ErrorCode::UnsupportedResponseType).then(|| before.guide(app))
}

async fn show(visitor: Visitor) -> Response {
    visitor.told(guide(&visitor))
}

fn guide(visitor: &Visitor) -> Result<Response, Failure> {
    let query = visitor.raw_query().as_bytes();
    let parameters = Parameters::parse(query).unwrap_or_else(|_| Parameters::of(Vec::new(), None));
    let parameters = parameters.in_language_of(visitor, None);
    let redirect_uri = parameters
        .get("redirect_uri")
        .filter(|uri| Url::parse(uri).is_ok());
    let issuer = &visitor.app.config.issuer;
    let content = json!({
        "client_id": parameters.get("client_id"),
        "redirect_uri": redirect_uri,
        "scope": parameters.get("scope"),
        "response_type": parameters.get("response_type"),
        "is_password": parameters.get("grant_type") == Some(PASSWORD),
        "authorization_endpoint": issuer.join("/oauth/authorize"),
        "token_endpoint": issuer.join("/oauth/token"),
        "client": null,
        "language_links": [],
    });
    let view = View::in_language(parameters.language);
    page(&visitor.app, "implicit.html", &view, &content)
}
