//! What people see when it is not the app that answers.
//!
//! Spec: RFC 9110 §15 · CSP Level 3

use axum::response::{IntoResponse as _, Response};
use carnet_client::html::escape;
use http::{HeaderValue, StatusCode, header};

/// A page with sentences, and a link with its words.
pub(super) fn page(status: StatusCode, sentences: &[&str], (to, words): (&str, &str)) -> Response {
    let sentences: String = sentences
        .iter()
        .map(|text| format!("<p>{}</p>", escape(text)))
        .collect();
    let body = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>Login</title><main>{sentences}\
         <p><a href=\"{}\">{}</a></p></main></html>",
        escape(to),
        escape(words)
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    (status, headers, body).into_response()
}

/// A page that goes on by itself: what it opens begins at this site, so that strict cookies are sent along. After a redirect that began elsewhere
/// they would not be.
pub(super) fn go_on(to: &str) -> Response {
    let mut response = page(StatusCode::OK, &[], (to, "Continue"));
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
