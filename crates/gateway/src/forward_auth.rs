//! Forward-auth: a proxy that is there already asks about each request whether it may pass, and what to tell the service.
//!
//! What the proxy describes is judged as what comes to the gateway itself: the same target, the same routes, the same guard, the same
//! headers for the service. Each proxy has an endpoint of its own, which reads what that proxy writes and nothing else.
//!
//! Spec: RFC 9110 §15.5.2 (401), §15.5.4 (403)

mod described;
mod envoy_grpc;
mod verdict;
mod wire;

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use carnet_listen::PeerAddr;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use self::verdict::Told;
use crate::config::{Dialect, ForwardAuth};
use crate::metrics::Metrics;
use crate::record::Record;
use crate::refusal::Refusal;
use crate::site::Site;

/// What proxies ask, as a router of its own: clients must not reach it. The listener adds [`PeerAddr`] to each request.
pub(crate) fn router(site: Arc<ArcSwap<Site>>, metrics: Arc<Metrics>) -> Router {
    let desk = Desk { site, metrics };
    Router::new().fallback(answer).with_state(desk)
}

/// The site of the moment, and where its verdicts are counted.
#[derive(Clone)]
struct Desk {
    site: Arc<ArcSwap<Site>>,
    metrics: Arc<Metrics>,
}

async fn answer(State(desk): State<Desk>, request: Request) -> Response {
    let site = desk.site.load_full();
    // A proxy that only asks passes on what its client called the request, unless the operator says that it is to be believed.
    let mut record = Record::of(&request, &site.trusted_proxies);
    record.logged(site.config.log.access);
    let (mut response, verdict) = match endpoint(&site, &request) {
        Ok(Dialect::EnvoyGrpc) => envoy_grpc::answer(&site, request, &mut record).await,
        Ok(dialect) => {
            let (parts, _) = request.into_parts();
            let response = match judged(&site, dialect, parts, &mut record).await {
                Ok(told) => allow(dialect, &told),
                Err(denied) => deny(dialect, denied),
            };
            let status = response.status();
            (response, status)
        }
        Err(refusal) => {
            record.refused(refusal.code());
            let status = refusal.status();
            (refusal.into_response(), status)
        }
    };
    record.trace.name(response.headers_mut());
    desk.metrics.count(&record, verdict);
    if site.config.log.access {
        record.write(verdict);
    }
    response
}

async fn judged(site: &Site, dialect: Dialect, parts: Parts, record: &mut Record) -> Result<Told, Response> {
    let peer = parts.extensions.get::<PeerAddr>().copied();
    match described::read(dialect, parts) {
        Ok(asked) => verdict::judge(site, asked.from(peer), record).await,
        Err(refusal) => Err(verdict::refused(refusal, record)),
    }
}

/// Whether this peer may ask, and in which dialect it does.
fn endpoint(site: &Site, request: &Request) -> Result<Dialect, Refusal> {
    let settings: &ForwardAuth = site.config.forward_auth.as_ref().ok_or(UNKNOWN)?;
    let peer = request.extensions().get::<PeerAddr>().copied().ok_or(PEER)?;
    if !settings.peers.iter().any(|listed| listed.includes(peer)) {
        tracing::warn!(%peer, "a stranger asks what only proxies in forward_auth.peers may ask");
        return Err(PEER);
    }
    let dialect = match request.uri().path() {
        "/forward-auth/nginx" => Dialect::Nginx,
        "/forward-auth/caddy" => Dialect::Caddy,
        "/forward-auth/traefik" => Dialect::Traefik,
        "/forward-auth/haproxy" => Dialect::Haproxy,
        envoy_grpc::PATH => Dialect::EnvoyGrpc,
        path if path.starts_with(described::ENVOY_PREFIX) => Dialect::Envoy,
        _ => return Err(UNKNOWN),
    };
    let speaks = settings.dialects.contains(&dialect);
    speaks.then_some(dialect).ok_or(UNKNOWN)
}

/// Every header that may say who asks is in the answer, empty when there is nothing to say: what is missing would be left as the client
/// sent it.
fn allow(dialect: Dialect, told: &Told) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in &told.headers {
        let value = value.clone().unwrap_or(HeaderValue::from_static(""));
        headers.insert(name.clone(), value);
    }
    let foreign: Vec<&str> = told.foreign.iter().map(HeaderName::as_str).collect();
    if dialect == Dialect::Envoy
        && !foreign.is_empty()
        && let Ok(value) = HeaderValue::try_from(foreign.join(","))
    {
        headers.insert(TO_REMOVE, value);
    }
    response
}

/// nginx takes every answer that it does not know for a fault of ours, does not redirect by itself, and knows one line of challenges alone.
fn deny(dialect: Dialect, mut response: Response) -> Response {
    if dialect == Dialect::Nginx {
        let status = match response.status() {
            StatusCode::FOUND => StatusCode::UNAUTHORIZED,
            StatusCode::BAD_REQUEST
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::MISDIRECTED_REQUEST
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::NOT_IMPLEMENTED => StatusCode::FORBIDDEN,
            other => other,
        };
        *response.status_mut() = status;
        join_challenges(response.headers_mut());
    }
    response
}

/// RFC 9110 §11.6.1: challenges stand in one line as well as in several.
fn join_challenges(headers: &mut HeaderMap) {
    let lines = headers.get_all(header::WWW_AUTHENTICATE).iter();
    let lines: Vec<&[u8]> = lines.map(HeaderValue::as_bytes).collect();
    if lines.len() > 1
        && let Ok(line) = HeaderValue::from_bytes(&lines.join(&b", "[..]))
    {
        headers.insert(header::WWW_AUTHENTICATE, line);
    }
}

/// By which Envoy is told what to take out of a request before it goes on.
const TO_REMOVE: HeaderName = HeaderName::from_static("x-envoy-auth-headers-to-remove");

const UNKNOWN: Refusal = Refusal::new(
    StatusCode::NOT_FOUND,
    "forward_auth_unknown",
    "no proxy is expected to ask here: see forward_auth.dialects",
);
const PEER: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "forward_auth_peer_unknown",
    "only proxies in forward_auth.peers may ask here",
);
