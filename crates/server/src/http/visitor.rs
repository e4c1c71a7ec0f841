//! Somebody at a page: who calls, what the browser says, what stands in the address. Whatever is wrong is told on a page as well.

use std::convert::Infallible;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::Response;
use http::HeaderMap;
use http::request::Parts;

use super::failure::Failure;
use super::form::Form;
use super::page::{language, refused};
use crate::app::App;
use crate::audit::Caller;

/// Somebody at a page.
pub struct Visitor {
    /// The server.
    pub app: App,
    /// Who calls.
    pub caller: Caller,
    /// What the browser says.
    pub headers: HeaderMap,
    query: String,
}

impl Visitor {
    /// The parameters of the address, read as a form is.
    pub fn query(&self) -> Result<Form, Failure> {
        Form::parse(self.query.as_bytes())
    }

    /// The parameters as they came.
    pub fn raw_query(&self) -> &str {
        &self.query
    }

    /// The page that came of it; a refusal as a page.
    pub fn told(&self, outcome: Result<Response, Failure>) -> Response {
        outcome.unwrap_or_else(|failure| {
            let language = language(None, &self.headers);
            refused(&self.app, language, &self.caller.correlation, failure)
        })
    }
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        Ok(Self {
            caller: Caller::from_request_parts(parts, app).await?,
            app: app.clone(),
            headers: parts.headers.clone(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
        })
    }
}

/// The form of a page, or what is wrong with it, which the page then says.
pub struct Filled(pub Result<Form, Failure>);

impl<S: Send + Sync> FromRequest<S> for Filled {
    type Rejection = Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Self, Infallible> {
        Ok(Self(Form::from_request(request, state).await))
    }
}
