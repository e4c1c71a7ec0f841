//! The only way to send a browser to a client: an address that was compared with what is registered. An open redirect does not compile.
//!
//! Spec: RFC 6749 §3.1.2, §4.1.2 · RFC 9207 §2 (iss) · OAuth 2.0 Form Post Response Mode §2 · RFC 9700 §4.1, §4.12

use axum::response::Response;
use carnet_jose::primitive;
use carnet_oauth::redirect_uri;
use data_encoding::BASE64;
use http::StatusCode;
use serde_json::json;
use url::Url;

use crate::app::App;
use crate::client::Client;
use crate::http::failure::{Failure, Refusal};
use crate::http::page::{View, page, see_other, source_of};
use crate::pages::Language;

/// How an answer travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResponseMode {
    /// In the query of the address.
    Query,
    /// In a form that the browser posts.
    FormPost,
}

impl ResponseMode {
    pub(super) const ALL: [Self; 2] = [Self::Query, Self::FormPost];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::FormPost => "form_post",
        }
    }
}

/// An address of the client that asks.
#[derive(Clone, Debug)]
pub(super) struct ReturnAddress {
    uri: Url,
    /// As the request, or the registration, wrote it.
    pub(super) text: String,
    /// Whether the request named it.
    pub(super) was_sent: bool,
    /// Whether it belongs to a client that nobody has checked.
    pub(super) is_unverified: bool,
    mode: ResponseMode,
    state: Option<String>,
    /// In which a form on the way is, for whoever has no script.
    language: Language,
    issuer: String,
}

impl ReturnAddress {
    /// The address that is asked for, if it is registered; the registered one when there is one and none is asked for.
    pub(super) fn of(app: &App, client: &Client, asked: Option<&str>) -> Result<Self, Failure> {
        let registered = &client.redirect_uris;
        let text = match asked {
            Some(asked) if registered.iter().any(|known| redirect_uri::matches(known, asked)) => asked,
            // RFC 6749 §3.1.2.3: with several, the request has to say which.
            None if registered.len() == 1 => registered.first().ok_or_else(mismatch)?,
            _ => return Err(mismatch().into()),
        };
        Ok(Self {
            uri: Url::parse(text).map_err(|_| mismatch())?,
            text: text.to_owned(),
            was_sent: asked.is_some(),
            is_unverified: client.is_unverified(),
            mode: ResponseMode::Query,
            state: None,
            language: Language::default(),
            issuer: app.config.issuer.as_str().to_owned(),
        })
    }

    pub(super) fn with_state(self, state: Option<&str>) -> Self {
        Self {
            state: state.map(str::to_owned),
            ..self
        }
    }

    pub(super) fn in_language(self, language: Language) -> Self {
        Self { language, ..self }
    }

    pub(super) fn by(self, mode: ResponseMode) -> Self {
        Self { mode, ..self }
    }

    /// Where forms on the way may lead.
    pub(super) fn source(&self) -> String {
        source_of(&self.uri)
    }

    /// The answer: `state` and `iss` go with it, always (RFC 9207 §2).
    pub(super) fn answer(&self, app: &App, parameters: &[(&str, &str)]) -> Result<Response, Failure> {
        let state = self.state.as_deref().map(|state| ("state", state));
        let all: Vec<(&str, &str)> = parameters
            .iter()
            .copied()
            .chain(state)
            .chain([("iss", self.issuer.as_str())])
            .collect();
        match self.mode {
            ResponseMode::Query => {
                let mut uri = self.uri.clone();
                // A query that is registered stays (RFC 6749 §3.1.2).
                uri.query_pairs_mut().extend_pairs(&all);
                see_other(uri.as_str())
            }
            ResponseMode::FormPost => self.form(app, &all),
        }
    }

    fn form(&self, app: &App, parameters: &[(&str, &str)]) -> Result<Response, Failure> {
        const SUBMIT: &str = "document.forms[0].submit()";
        let fields: Vec<_> = parameters
            .iter()
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect();
        let source = self.source();
        let hash = BASE64.encode(&primitive::sha256(SUBMIT.as_bytes()));
        let view = View {
            sends_to: Some(&source),
            script_hash: Some(format!("'sha256-{hash}'")),
            ..View::in_language(self.language)
        };
        let content = json!({ "action": self.text, "fields": fields, "script": SUBMIT });
        page(app, "form_post.html", &view, &content)
    }
}

fn mismatch() -> Refusal {
    const REASON: &str = "redirect_uri is not one that the client is registered with";
    Refusal::new(StatusCode::BAD_REQUEST, "redirect_uri_mismatch", REASON)
}
