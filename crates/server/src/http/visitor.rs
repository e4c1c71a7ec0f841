//! Somebody at a page: who calls, what the browser says, what stands in the address. Whatever is wrong is told on a page as well.

use std::convert::Infallible;
use std::sync::OnceLock;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::MethodRouter;
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};

use super::failure::Failure;
use super::form::Form;
use super::origin::Origins;
use super::page::{Back, language, refused};
use crate::app::App;
use crate::audit::Caller;
use crate::client::Client;
use crate::pages::Language;

/// Somebody at a page.
pub struct Visitor {
    /// The server.
    pub app: App,
    /// Who calls.
    pub caller: Caller,
    /// What the browser says.
    pub headers: HeaderMap,
    query: String,
    /// In which language the flow is that this turned out to belong to.
    spoken: OnceLock<Language>,
    /// The app that people come from, and may go back to.
    app_behind: OnceLock<Back>,
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

    /// From here on the visitor is spoken to in this language.
    pub fn speak(&self, language: Language) {
        let _ = self.spoken.set(language);
    }

    /// The visitor comes from this client. Where it lives is believed when the operator says so.
    pub fn comes_from(&self, client: &Client, language: Language) {
        if let Some(uri) = client.uri.as_ref().filter(|_| !client.is_unverified()) {
            let _ = self.app_behind.set(Back {
                name: client.shown_name_in(language.tag).to_owned(),
                url: uri.clone(),
            });
        }
    }

    /// As the flow, or as the address says it; else as the browser is set.
    fn language(&self) -> Language {
        let wanted = |name| {
            let mut pairs = url::form_urlencoded::parse(self.query.as_bytes());
            pairs.find_map(|(key, value)| (key == name).then_some(value))
        };
        self.spoken.get().copied().unwrap_or_else(|| {
            let wanted = wanted("lang").or_else(|| wanted("ui_locales"));
            language(wanted.as_deref(), &self.headers)
        })
    }

    /// The page that came of it; a refusal as a page.
    pub fn told(&self, outcome: Result<Response, Failure>) -> Response {
        outcome.unwrap_or_else(|failure| {
            let told = (self.caller.correlation.as_str(), self.app_behind.get());
            refused(&self.app, self.language(), told, failure)
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
            spoken: OnceLock::new(),
            app_behind: OnceLock::new(),
        })
    }
}

/// CK-05: what is posted here stands on a page of ours. Nothing behind this has run yet.
pub async fn require_page_of_ours(visitor: Visitor, request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let ours = Origins::new(visitor.app.config.issuer.origin(), []);
    match ours.require(&visitor.headers) {
        Ok(()) => next.run(request).await,
        Err(refusal) => visitor.told(Err(refusal.into())),
    }
}

/// A page that keeps or ends something when it is asked for: HEAD changes nothing (RFC 9110 §9.2.1), and would be taken for GET.
pub fn not_by_head(page: MethodRouter<App>, allow: &'static str) -> MethodRouter<App> {
    let refuse = move || async move { (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, allow)]) };
    page.head(refuse).fallback(refuse)
}

/// The form of a page, or what is wrong with it, which the page then says.
pub struct Filled(pub Result<Form, Failure>);

impl<S: Send + Sync> FromRequest<S> for Filled {
    type Rejection = Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Self, Infallible> {
        Ok(Self(Form::from_request(request, state).await))
    }
}
