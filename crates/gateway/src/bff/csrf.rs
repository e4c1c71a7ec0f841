//! The one place where a request proves that a page of the app has sent it. It stands before the session is even looked for.
//!
//! Three layers, none of which leans on another: the cookie is `SameSite=Strict`; a header that no form and no link can send; and what the browser
//! says of where the request comes from.
//!
//! Spec: RFC 10017 §6.1.3.3 · RFC 9700 §4.7 · W3C Fetch Metadata §2

use http::{HeaderMap, Method, StatusCode};

use super::app::Settings;
use crate::refusal::Refusal;

/// A script of a page of the app asks.
pub(super) fn demand_script(
    settings: &Settings,
    method: &Method,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    if one(headers, settings.csrf_header.as_str()) != One::Is("1") {
        return Err(CSRF);
    }
    let from = one(headers, "origin");
    let (is_ours, absent) = (from == One::Is(settings.origin.as_str()), from == One::Missing);
    let proven = match one(headers, "sec-fetch-site") {
        One::Is(site) => site == "same-origin" && (is_ours || absent),
        // A browser of old times: then `Origin` must be there where it always was.
        One::Missing => is_ours || (absent && matches!(*method, Method::GET | Method::HEAD)),
        One::Twice => false,
    };
    if proven { Ok(()) } else { Err(CSRF) }
}

/// A page of the app opens a WebSocket, to which no script can add a header (RFC 6455 §10.2).
pub(super) fn demand_socket(settings: &Settings, headers: &HeaderMap) -> Result<(), Refusal> {
    match one(headers, "origin") {
        One::Is(origin) if origin == settings.origin => Ok(()),
        _ => Err(CSRF),
    }
}

/// Whether an `EventSource` asks, to which no script can add a header either.
pub(super) fn is_event_source(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::GET && one(headers, "accept") == One::Is("text/event-stream")
}

/// A page of the app asks for what it can only read: the browser says so, one way or the other.
pub(super) fn demand_page(settings: &Settings, headers: &HeaderMap) -> Result<(), Refusal> {
    let ours = One::Is(settings.origin.as_str());
    match (one(headers, "sec-fetch-site"), one(headers, "origin")) {
        (One::Is("same-origin"), One::Missing) => Ok(()),
        (One::Is("same-origin") | One::Missing, origin) if origin == ours => Ok(()),
        _ => Err(CSRF),
    }
}

/// A window that a person opens at an address of the app, or what a page there loads to read it. The browser must say which.
pub(super) fn is_view(settings: &Settings, method: &Method, headers: &HeaderMap) -> bool {
    let by_hand = || is_opened(headers) && one(headers, "sec-fetch-site") == One::Is("none");
    is_read(method) && (demand_page(settings, headers).is_ok() || by_hand())
}

/// A window that a page of another site, or of a neighbour, opens.
pub(super) fn is_from_elsewhere(method: &Method, headers: &HeaderMap) -> bool {
    is_read(method) && is_opened(headers) && is_sent_by_others(headers)
}

const fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn is_opened(headers: &HeaderMap) -> bool {
    let says = |name: &str, value: &str| one(headers, name) == One::Is(value);
    says("sec-fetch-mode", "navigate") && says("sec-fetch-dest", "document")
}

/// A person opens an address in a window: no script, no frame, no picture.
pub(super) fn demand_window(headers: &HeaderMap) -> Result<(), Refusal> {
    demand_click(headers)?;
    match one(headers, "sec-fetch-dest") {
        One::Missing | One::Is("document") => Ok(()),
        One::Is(_) | One::Twice => Err(WINDOW),
    }
}

/// A frame of a page of the app, which a browser says of itself: one that says nothing is refused.
pub(super) fn demand_frame(headers: &HeaderMap) -> Result<(), Refusal> {
    demand_click(headers)?;
    let says = |name: &str, value: &str| one(headers, name) == One::Is(value);
    match says("sec-fetch-dest", "iframe") && says("sec-fetch-site", "same-origin") {
        true => Ok(()),
        false => Err(FRAME),
    }
}

/// Nobody has opened the address yet: the browser asks ahead (W3C Prefetch, `Sec-Purpose`). What is refused is not kept, and asked again when somebody does.
pub(super) fn demand_click(headers: &HeaderMap) -> Result<(), Refusal> {
    let ahead = ["sec-purpose", "purpose", "x-moz"].into_iter().any(|name| {
        let mut said = headers.get_all(name).iter();
        said.any(|value| value.as_bytes().starts_with(b"pre"))
    });
    if ahead { Err(WINDOW) } else { Ok(()) }
}

/// Whether the window was sent here by a page of another site: then strict cookies have stayed behind.
pub(super) fn is_sent_by_others(headers: &HeaderMap) -> bool {
    matches!(
        one(headers, "sec-fetch-site"),
        One::Is("cross-site" | "same-site")
    )
}

#[derive(Debug, PartialEq, Eq)]
enum One<'h> {
    Missing,
    Is(&'h str),
    Twice,
}

fn one<'h>(headers: &'h HeaderMap, name: &str) -> One<'h> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => One::Missing,
        (Some(value), None) => One::Is(value.to_str().unwrap_or_default()),
        (Some(_), Some(_)) => One::Twice,
    }
}

const CSRF: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "csrf",
    "the request does not prove that a page of this app has sent it",
);
const FRAME: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "frame_required",
    "this address is opened in a frame of a page of the app",
);
const WINDOW: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "window_required",
    "this address is opened in a window, not asked by a script or a frame",
);
