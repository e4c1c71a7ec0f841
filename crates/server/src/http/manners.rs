//! What every answer has: a request id, security headers, a body that says why, a line in the log.
//!
//! Spec: RFC 9110 §15.5 · RFC 6797 (HSTS) · CSP 3

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use carnet_jose::{base64url, primitive};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use tracing::Instrument as _;

use super::failure::{Noted, Refusal};
use super::negotiation::wants_page;
use super::page::{language, refused};
use super::transport::unprotected;
use crate::app::App;
use crate::config::Listen;

/// Names one request in its log lines, its audit rows and its `X-Request-Id`.
#[derive(Clone, Debug)]
pub struct CorrelationId(pub String);

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What every request is held against.
#[derive(Clone)]
pub struct House {
    /// Who may speak without TLS.
    pub listen: Arc<Listen>,
    /// Browsers are told to stay with https.
    pub https: bool,
    /// Whose pages tell people that there is nothing; without them all are told as programs are.
    pub pages: Option<App>,
}

/// Runs around every route. It is one layer, since each costs every request two allocations and a copy of what is inside.
pub async fn keep_manners(State(house): State<House>, mut request: Request, next: Next) -> Response {
    let id = correlation_id();
    request.extensions_mut().insert(CorrelationId(id.clone()));
    let method = request.method().clone();
    // The route, never the path: a path could carry a secret that somebody pasted there.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let span = tracing::info_span!("request", id = %id);
    let started = Instant::now();
    let wanted = WANTED.map(|name| request.headers().get(name).cloned());
    let refusal = ambiguous(&request).or_else(|| unprotected(&request, &house.listen));
    let response = match refusal {
        Some(refusal) => refusal.into_response(),
        None => next.run(request).instrument(span.clone()).await,
    };
    let mut response = explain_bare(response, house.pages.as_ref().map(|app| (app, wanted, &*id)));
    let route = route.as_ref().map_or("(none)", MatchedPath::as_str);
    span.in_scope(|| log(&response, method.as_str(), route, started));
    decorate(&mut response, house.https, &id);
    response
}

/// Who may read a page of ours: what they said of that, by [`WANTED`], and the name of their request.
type Reader<'a> = (&'a App, [Option<HeaderValue>; 2], &'a str);

/// Looked at only where there is nothing.
const WANTED: [HeaderName; 2] = [header::ACCEPT, header::ACCEPT_LANGUAGE];

/// What one proxy reads in another way than the next, or than we do.
fn ambiguous(request: &Request) -> Option<Refusal> {
    // RFC 9112 §3.2: one Host line, not two and not none, and a host in it; HTTP/2 has :authority.
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let sound = match (hosts.next(), hosts.next()) {
        (None, _) => request.version() != Version::HTTP_11,
        (Some(host), None) => is_host(host),
        (Some(_), Some(_)) => false,
    };
    if !sound {
        const REASON: &str = "a request has one Host header, with a host and perhaps a port";
        return Some(Refusal::new(StatusCode::BAD_REQUEST, "invalid_host", REASON));
    }
    // §6.1: of the transfer codings we know `chunked` alone.
    let codings = request.headers().get_all(header::TRANSFER_ENCODING);
    if codings
        .iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        const REASON: &str = "the only transfer coding that is read is chunked";
        return Some(Refusal::new(
            StatusCode::NOT_IMPLEMENTED,
            "unknown_transfer_coding",
            REASON,
        ));
    }
    None
}

fn is_host(value: &HeaderValue) -> bool {
    Authority::try_from(value.as_bytes())
        .is_ok_and(|host| !host.host().is_empty() && !host.as_str().contains('@'))
}

fn correlation_id() -> String {
    let mut bytes = [0; 9];
    match primitive::fill_name(&mut bytes) {
        Ok(()) => base64url::encode(&bytes),
        Err(_) => "unavailable".to_owned(),
    }
}

/// The router refuses some requests with a bare status; they get the same body as every other refusal, and whoever reads pages gets one.
fn explain_bare(response: Response, reader: Option<Reader<'_>>) -> Response {
    if response.headers().contains_key(header::CONTENT_TYPE) {
        return response;
    }
    let (code, reason) = match response.status() {
        StatusCode::NOT_FOUND => ("not_found", "there is nothing at this path"),
        StatusCode::METHOD_NOT_ALLOWED => (
            "method_not_allowed",
            "this path is not asked in this way; the Allow header lists its methods",
        ),
        _ => return response,
    };
    let allow = response.headers().get(header::ALLOW).cloned();
    let mut refusal = Refusal::new(response.status(), code, reason);
    if let Some(allow) = allow {
        refusal = refusal.header(header::ALLOW, allow);
    }
    let Some((app, wanted, id)) = reader else {
        return refusal.into_response();
    };
    let wanted = WANTED.into_iter().zip(wanted);
    let headers: HeaderMap = wanted.filter_map(|(name, value)| Some((name, value?))).collect();
    match wants_page(&headers) {
        true => refused(app, language(None, &headers), (id, None), refusal.into()),
        false => refusal.into_response(),
    }
}

fn decorate(response: &mut Response, https: bool, id: &str) {
    const ALWAYS: [(HeaderName, &str); 4] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ];
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        // A page for people has a policy of its own.
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if https {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000; includeSubDomains"),
        );
    }
    // What nobody said may be cached is not.
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(&REQUEST_ID, value);
    }
}

fn log(response: &Response, method: &str, route: &str, started: Instant) {
    let status = response.status().as_u16();
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    match response.extensions().get::<Noted>() {
        Some(noted) if status >= 500 => {
            tracing::error!(method, route, status, micros, code = noted.code, reason = %noted.reason, "failed");
        }
        Some(noted) => {
            tracing::info!(method, route, status, micros, code = noted.code, reason = %noted.reason, "refused")
        }
        None => tracing::info!(method, route, status, micros, "answered"),
    }
}
