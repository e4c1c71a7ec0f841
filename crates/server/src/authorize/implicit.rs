//! The page that shows how to move from the implicit flow, with the client's own values filled in.
//!
//! Spec: RFC 9700 §2.1.2 · OAuth 2.1 §10.1

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde_json::json;
use url::Url;

use super::parameters::Parameters;
use crate::app::App;
use crate::http::failure::Failure;
use crate::http::page::{View, page};
use crate::http::visitor::Visitor;

const PATH: &str = "/oauth/implicit";
/// What the page fills in. None of it is a secret, and none is believed.
const FILLED_IN: [&str; 4] = ["client_id", "redirect_uri", "scope", "response_type"];

pub(super) fn routes() -> Router<App> {
    Router::new().route(PATH, get(show))
}

/// Where the page is, for this request.
pub(super) fn address(app: &App, parameters: &Parameters) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for name in FILLED_IN {
        if let Some(value) = parameters.get(name) {
            query.append_pair(name, value);
        }
    }
    app.config.issuer.join(&format!("{PATH}?{}", query.finish()))
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
        "authorization_endpoint": issuer.join("/oauth/authorize"),
        "token_endpoint": issuer.join("/oauth/token"),
        "client": null,
        "language_links": [],
    });
    let view = View::in_language(parameters.language);
    page(&visitor.app, "implicit.html", &view, &content)
}
