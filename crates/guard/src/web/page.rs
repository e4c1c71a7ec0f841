//! What people and programs are told when the app itself has no say: plain pages, and problem documents.
//!
//! Spec: RFC 9457 · RFC 9110 §15

use axum::response::{IntoResponse as _, Response};
use carnet_client::html::escape;
use carnet_oauth::problem::{MEDIA_TYPE, Problem};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::source;

/// Who looks at an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A person, in a window.
    Page,
    /// A program.
    Problem,
}

impl Answer {
    pub(super) fn to(headers: &HeaderMap) -> Self {
        match source::wants_page(headers) {
            true => Self::Page,
            false => Self::Problem,
        }
    }
}

/// A refusal with its stable code.
pub(super) fn refused(code: &str, (answer, status): (Answer, StatusCode), text: &str) -> Response {
    match answer {
        Answer::Page => page(status, text, None),
        Answer::Problem => {
            let words = status.canonical_reason().unwrap_or("Refused");
            let problem = Problem::new((status.as_u16(), words), code, text);
            let body = serde_json::to_string(&problem).unwrap_or_default();
            finished((status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response())
        }
    }
}

/// 503: the issuer must be asked and does not answer. Nobody is logged out by that.
pub(super) fn unavailable(answer: Answer) -> Response {
    let mut response = refused(
        "temporarily_unavailable",
        (answer, StatusCode::SERVICE_UNAVAILABLE),
        "Logins cannot be checked at the moment. Whoever was logged in still is; try again in a few seconds.",
    );
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

/// A page with one sentence, and a link with its words.
pub(super) fn page(status: StatusCode, text: &str, link: Option<(&str, &str)>) -> Response {
    let link = link.map(|(to, words)| format!("<p><a href=\"{}\">{}</a></p>", escape(to), escape(words)));
    said(status, text, &link.unwrap_or_default())
}

/// What somebody has sent was not taken, since `why`. Browsers have it until this window goes on, and show it again in a page that only somebody who is
/// logged in gets: the login is for another window.
pub(super) fn unsaved(status: StatusCode, why: &str, login: &str) -> Response {
    let text = format!(
        "{why} What you sent was not saved. Most browsers still have it: log in in a new window, come back to this one, go back one page, and send it again."
    );
    let link = format!(
        "<p><a href=\"{}\" target=\"_blank\" rel=\"noopener\">Log in in a new window</a></p>",
        escape(login)
    );
    said(status, &text, &link)
}

fn said(status: StatusCode, text: &str, link: &str) -> Response {
    let heading = match status {
        StatusCode::OK => "Go on?",
        StatusCode::UNAUTHORIZED => "Logged out",
        status if status.is_server_error() => "Not available",
        _ => "Refused",
    };
    html(
        status,
        "",
        &format!("<h1>{heading}</h1><p>{}</p>{link}", escape(text)),
    )
}

/// A page that goes on by itself. What it opens begins at this site, so that strict cookies are sent along: after a redirect that began elsewhere
/// they would not be.
pub(super) fn go_on(to: &str) -> Response {
    let to = escape(to);
    let head = format!("<meta http-equiv=\"refresh\" content=\"0;url={to}\">");
    html(
        StatusCode::OK,
        &head,
        &format!("<h1>One moment</h1><p><a href=\"{to}\">Continue</a></p>"),
    )
}

/// 303.
pub(super) fn see_other(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(to) => finished((StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()),
        Err(_) => finished(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
    }
}

fn html(status: StatusCode, head: &str, body: &str) -> Response {
    let text = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\">{head}<title>Login</title><main>{body}</main></html>"
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    finished((status, headers, text).into_response())
}

/// Kept nowhere, and its address, which may hold a code, is told to nobody.
fn finished(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
