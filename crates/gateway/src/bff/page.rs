//! What people see when it is not the app that answers.
//!
//! Spec: RFC 9110 §15 · CSP Level 3 §2.3.1 (hashes)

use axum::response::{IntoResponse as _, Response};
use carnet_client::html::escape;
use carnet_jose::{base64url, primitive};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::app::Bff;
use super::words::{self, Language, Text, Words};
use crate::refusal::Said;
use crate::trace;

/// One page.
pub(super) struct Page<'a> {
    pub(super) status: StatusCode,
    pub(super) words: Words,
    /// What only the operator needs to know.
    pub(super) details: &'a [&'a str],
    /// Where it leads: the first is what most people do next.
    pub(super) links: &'a [(&'a str, Text)],
}

/// The page, in the language of who asks; it tells by which name the operator finds the request in the log.
pub(super) fn page(bff: &Bff, headers: &HeaderMap, page: &Page<'_>) -> Response {
    let language = Language::of(headers);
    let said = |text: Text| escape(text.in_language(language));
    let Words { code, title, help } = page.words;
    let host = &bff.parts.settings.host;
    let mark: String = host.chars().take(1).flat_map(char::to_uppercase).collect();
    let error = match code {
        "" => String::new(),
        _ => format!("{} ", said(words::ERROR)),
    };
    let body = format!(
        "<!doctype html><html lang=\"{lang}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><meta name=\"robots\" content=\"noindex\">\
         <title>{error}{title} · {host}</title><style>{STYLE}</style></head><body><main>\
         <header><b aria-hidden=\"true\">{mark}</b><strong>{host}</strong><span>{asks}</span></header>\
         <section><h1>{title}</h1><p>{help}</p><p>{links}</p>{operator}</section></main></body></html>",
        lang = language.tag(),
        title = said(title),
        host = escape(host),
        mark = escape(&mark),
        asks = said(words::ASKS),
        help = said(help),
        links = links(page.links, language),
        operator = for_operator((code, page.details), trace::named(headers), language),
    );
    let mut response = (page.status, [(header::CONTENT_TYPE, HTML)], body).into_response();
    let lines = response.headers_mut();
    lines.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    lines.insert(header::CONTENT_SECURITY_POLICY, policy());
    if !code.is_empty() {
        response.extensions_mut().insert(Said(code));
    }
    response
}

fn links(links: &[(&str, Text)], language: Language) -> String {
    let mut class = " class=\"button\"";
    let link = |(to, words): &(&str, Text)| {
        let class = std::mem::take(&mut class);
        format!(
            "<a{class} href=\"{}\">{}</a>",
            escape(to),
            escape(words.in_language(language))
        )
    };
    links.iter().map(link).collect()
}

/// Nothing where nothing went wrong.
fn for_operator((code, details): (&str, &[&str]), reference: &str, language: Language) -> String {
    if code.is_empty() {
        return String::new();
    }
    let said = |text: Text| escape(text.in_language(language));
    let fact = |name: Text, class: &str, text: &str| {
        format!(
            "<dt>{}</dt><dd lang=\"en\"{class}>{}</dd>",
            said(name),
            escape(text)
        )
    };
    let details: String = details
        .iter()
        .map(|text| fact(words::HAPPENED, "", text))
        .collect();
    format!(
        "<h2>{}</h2><dl>{details}{}{}</dl>",
        said(words::FOR_OPERATOR),
        fact(words::CODE, MONO, code),
        fact(words::REFERENCE, MONO, reference)
    )
}

/// Nothing is loaded from anywhere, and of what stands in the page only these styles count.
fn policy() -> HeaderValue {
    let digest = base64url::encode(&primitive::sha256(STYLE.as_bytes()));
    let digest = digest.replace('-', "+").replace('_', "/");
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// A page that goes on by itself: what it opens begins at this site, so that strict cookies are sent along. After a redirect that began elsewhere
/// they would not be.
pub(super) fn go_on(bff: &Bff, headers: &HeaderMap, to: &str) -> Response {
    let mut response = page(
        bff,
        headers,
        &Page {
            status: StatusCode::OK,
            words: words::GOING_ON,
            details: &[],
            links: &[(to, words::GO_ON)],
        },
    );
    if let Ok(refresh) = HeaderValue::from_str(&format!("0;url={to}")) {
        response.headers_mut().insert(header::REFRESH, refresh);
    }
    response
}

/// 303: a GET of this address.
pub(super) fn see_other(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(to) => (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

pub(super) const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = include_str!("page.css");
const MONO: &str = " class=\"mono\"";
