//! Pages for people: a template as an answer, and a refusal as a page.
//!
//! Spec: CSP 3 §6.1 · RFC 9700 §4.16 (framing) · RFC 4647, RFC 9110 §12.5.4 (languages)

use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::json;
use url::Url;

use super::failure::{Failure, Noted};
use super::negotiation::by_weight;
use crate::app::App;
use crate::pages::{Language, language_of};

/// How a page is shown.
pub struct View<'a> {
    /// In which language.
    pub language: Language,
    /// Where else a form may lead, as [`source_of`] the address to which the browser is sent afterwards.
    pub sends_to: Option<&'a str>,
    /// Origins of clients whose pages are loaded in frames, unseen.
    pub frames: Vec<String>,
    /// A script that stands in the page, by its hash.
    pub script_hash: Option<String>,
}

impl View<'_> {
    /// A page whose forms stay here.
    pub fn in_language(language: Language) -> Self {
        Self {
            language,
            sends_to: None,
            frames: Vec::new(),
            script_hash: None,
        }
    }
}

/// Where a form may lead when the browser is sent to this address in the end, as a policy names it: by scheme alone. Browsers hold every
/// redirect that follows a form to it, those of the app too, and it cannot name an IPv6 address (CSP 3 §2.3.1).
pub fn source_of(uri: &Url) -> String {
    match uri.scheme() {
        "https" => "https:".to_owned(),
        scheme => format!("https: {scheme}:"),
    }
}

/// The language that a browser asks for; `first` goes before.
pub fn language(first: Option<&str>, headers: &HeaderMap) -> Language {
    let first = first.and_then(|tags| language_of(tags.split(' ')));
    let accepted = || language_of(by_weight(headers, header::ACCEPT_LANGUAGE));
    first.or_else(accepted).unwrap_or_default()
}

/// A page.
pub fn page(
    app: &App,
    template: &str,
    view: &View<'_>,
    content: &impl Serialize,
) -> Result<Response, Failure> {
    let html = app
        .pages
        .render(template, view.language, content)
        .map_err(Failure::broken)?;
    let mut response = ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response();
    let script = view.script_hash.as_ref();
    let frames = view.frames.join(" ");
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self' https: data:; script-src {};{}{frames}{} form-action 'self'{}{}; base-uri 'none'; \
         frame-ancestors 'none'",
        script.map_or("'none'", String::as_str),
        if frames.is_empty() { "" } else { " frame-src " },
        if frames.is_empty() { "" } else { ";" },
        if view.sends_to.is_some() { " " } else { "" },
        view.sends_to.unwrap_or_default(),
    );
    let headers = response.headers_mut();
    let policy = HeaderValue::from_str(&policy).map_err(Failure::broken)?;
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    // CN-05, with a difference: browsers would call the origin of a form `null` without any referrer, and CK-05 refuses that. Other
    // sites are told nothing all the same: docs/decisions/0017.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Language, Cookie"));
    Ok(response)
}

/// 303, so that no form with a password is posted again (RFC 9700 §4.12).
pub fn see_other(uri: &str) -> Result<Response, Failure> {
    let location = HeaderValue::from_str(uri).map_err(Failure::broken)?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}

/// Where an app lives, by the word of the operator.
#[derive(Clone, Debug, Serialize)]
pub struct Back {
    /// What people call it.
    pub name: String,
    /// Its own page, never an address that a request has named.
    pub url: String,
}

/// A refusal as a page. `request_id` lets the operator find it in the log.
pub fn refused(
    app: &App,
    language: Language,
    (request_id, back): (&str, Option<&Back>),
    failure: Failure,
) -> Response {
    let help = failure.help().map(str::to_owned);
    let refusal = failure.into_response();
    let status = refusal.status();
    let noted = refusal.extensions().get::<Noted>().cloned();
    let code = noted.as_ref().map_or("server_error", |noted| noted.code);
    // What broke on our side is for the log alone.
    let reason = noted
        .as_ref()
        .filter(|_| status.as_u16() < 500)
        .map(|noted| noted.reason.as_str());
    let content = json!({
        "title_key": title_of(code, status),
        "code": code,
        "reason": reason,
        "help": help,
        "request_id": request_id,
        "back": back,
        "client": null,
        "language_links": [],
    });
    let Ok(mut response) = page(app, "error.html", &View::in_language(language), &content) else {
        return refusal;
    };
    take_over(&refusal, &mut response);
    response
}

/// What a page that tells of a refusal takes over from it: its status, what the caller is to heed, and what the log says.
pub fn take_over(refused: &Response, page: &mut Response) {
    *page.status_mut() = refused.status();
    for name in [header::RETRY_AFTER, header::ALLOW] {
        if let Some(value) = refused.headers().get(&name) {
            page.headers_mut().insert(name, value.clone());
        }
    }
    if let Some(noted) = refused.extensions().get::<Noted>() {
        page.extensions_mut().insert(noted.clone());
    }
}

/// What the page says in large letters.
fn title_of(code: &str, status: StatusCode) -> &'static str {
    match code {
        "unknown_client" => "client",
        "redirect_uri_mismatch" => "redirect",
        "interaction_expired" | "invalid_request_uri" => "expired",
        "interaction_finished" => "finished",
        "foreign_form" | "foreign_browser" | "cross_site_request" => "session",
        "too_many_attempts" => "too_many",
        "not_found" => "not_found",
        _ if status.as_u16() >= 500 => "unavailable",
        _ => "request",
    }
}
