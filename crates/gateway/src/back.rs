//! What of a service's answer goes back, and how long it may go on.
//!
//! Spec: RFC 9110 §7.6.1, §7.8 · RFC 9111 §3.5

use axum::body::Body;
use axum::response::Response;
use carnet_listen::Endless;
use http::{HeaderValue, StatusCode, Version, header};
use hyper::body::Incoming;
use tokio::time::{Duration, Instant};

use crate::balance::Load;
use crate::caller::No;
use crate::passing::{Passing, Patience};
use crate::refusal::Refusal;
use crate::site::{Admitted, Route, Site};
use crate::watch::{SessionEnd, Watch};
use crate::{headers, upgrade};

/// How long an answer may go on, and the server that it keeps busy.
pub(crate) struct Stay {
    pub(crate) load: Load,
    pub(crate) until: Option<Instant>,
    /// Comes with the end of the session.
    pub(crate) over: Option<SessionEnd>,
    pub(crate) idle: Duration,
    /// Whose token opened it: when that is taken back it goes on no longer.
    pub(crate) caller: Admitted,
}

/// What of an answer goes back.
pub(crate) fn back(
    (site, route): (&Site, &Route),
    mut response: http::Response<Incoming>,
    asked: Option<upgrade::Asked>,
    stay: Stay,
) -> Result<Response, No> {
    let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let granted = asked.as_ref().and_then(|asked| asked.granted(&response));
    // RFC 9110 §9.3.6: where CONNECT was said, any success is a grant, of what was asked for or of something else.
    let connects =
        response.version() == Version::HTTP_2 || asked.as_ref().is_some_and(upgrade::Asked::is_extended);
    let service = hyper::upgrade::on(&mut response);
    let (mut parts, body) = response.into_parts();
    headers::strip_hop_by_hop(&mut parts.headers);
    site.names.identity.strip(&mut parts.headers);
    headers::strip_set_cookies(&mut parts.headers, &site.own_cookies);
    if route.session.is_some() {
        // RFC 9111 §3.5 speaks of Authorization alone: no cache on the way knows that a cookie says whose answer it is.
        let said = parts.headers.entry(header::CACHE_CONTROL);
        said.or_insert(HeaderValue::from_static("no-store"));
        parts
            .headers
            .append(header::VARY, HeaderValue::from_static("Cookie"));
    }
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    let Stay {
        load,
        until,
        over,
        idle,
        caller,
    } = stay;
    match (asked, granted) {
        (Some(client), Some(granted)) => {
            let mut response = Response::from_parts(parts, Body::empty());
            client.grant(granted, &mut response);
            let watch = route.watch(&caller, over);
            upgrade::join(client, service, upgrade::Ends { until, watch, idle }, load);
            Ok(response)
        }
        // Nobody has asked for another protocol, or for this one.
        _ if switches => Err(UNASKED.into()),
        (Some(_), None) if connects && parts.status.is_success() => Err(UNASKED.into()),
        _ => {
            let events = headers::is_of(&parts.headers, b"text/event-stream");
            let endless = events || headers::is_grpc(&parts.headers);
            let patience = Patience {
                idle,
                until: until.filter(|_| endless),
                abrupt: !events,
            };
            // A call of gRPC may well have an end, and its client waits for what only the service knows to say of it.
            if events || headers::is_of(&parts.headers, b"multipart/x-mixed-replace") {
                parts.extensions.insert(Endless);
            }
            // What has an end is sent to it, unless the session ends before.
            let watch = match endless {
                true => route.watch(&caller, over),
                false => Watch::over(None, over),
            };
            let body = Body::new(Passing::new(body, load, patience, watch));
            Ok(Response::from_parts(parts, body))
        }
    }
}

const UNASKED: Refusal = Refusal::new(
    StatusCode::BAD_GATEWAY,
    "upstream_unreachable",
    "the service behind the gateway changed the protocol unasked",
);
