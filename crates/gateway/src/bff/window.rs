//! Who looks at an answer: a person in a window sees a page where a program reads a problem.
//!
//! Spec: RFC 9110 §12.5.1 (Accept) · W3C Fetch Metadata §2

use axum::response::Response;
use http::request::Parts as Head;
use http::{HeaderMap, Method, StatusCode, header};

use super::app::Bff;
use super::page::{self, Page};
use super::session::NOBODY;
use super::words::{self, Words};
use crate::refusal::Refusal;

/// Whether a browser shows somebody what it is answered.
pub(super) fn is_looked_at(path: &str, head: &Head) -> bool {
    let said = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let opened = matches!(
        path,
        "login" | "callback" | "logout" | "logout/end" | "logout/callback"
    );
    opened
        && matches!(head.method, Method::GET | Method::HEAD)
        && said(header::ACCEPT.as_str()).is_some_and(|accept| accept.contains("text/html"))
        && said("sec-fetch-mode").is_none_or(|mode| mode == "navigate")
        && said("sec-fetch-dest").is_none_or(|dest| dest == "document")
}

/// A refusal as a page: its status, its code and what the browser is to heed are the same.
pub(super) fn refused(bff: &Bff, headers: &HeaderMap, refusal: &Refusal) -> Response {
    let login = bff.path("login");
    let words = words_of(refusal);
    let links = match refusal.status() {
        StatusCode::UNAUTHORIZED => [(login.as_str(), words::LOGIN), ("/", words::BACK)],
        _ => [("/", words::BACK), (login.as_str(), words::LOGIN)],
    };
    let page = Page {
        status: refusal.status(),
        words: Words {
            code: refusal.code(),
            ..words
        },
        details: &[refusal.detail()],
        links: &links,
    };
    let mut response = page::page(bff, headers, &page);
    response.headers_mut().extend(refusal.headers().iter().cloned());
    response
}

fn words_of(refusal: &Refusal) -> Words {
    match refusal.status() {
        _ if *refusal == NOBODY => words::NOBODY,
        StatusCode::TOO_MANY_REQUESTS => words::TOO_OFTEN,
        status if status.is_server_error() => words::DOWN,
        _ => words::OTHERWISE,
    }
}
