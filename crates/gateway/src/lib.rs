//! The reverse proxy in front of APIs: checks tokens, and tells the services behind it who asks.
//!
//! The life of a request: its head is read once; its target is brought into one spelling ([`target`]); a route is found ([`route`]); what only
//! the gateway may say is taken out ([`headers`]); the caller is known ([`site`]); who it is and where it came from is said ([`identity`],
//! [`forwarded`]); the request goes on ([`upstream`]), and of the answer goes back what may.
//!
//! Spec: RFC 9110 §7.6 (forwarding)

mod admin;
pub mod assertion;
mod back;
pub mod balance;
mod believed;
pub mod bff;
mod cables;
mod caller;
mod certificates;
pub mod config;
mod contents;
pub mod cors;
mod feeds;
mod forward_auth;
pub mod forwarded;
pub mod headers;
mod health;
mod hops;
pub mod identity;
mod lent;
pub mod limit;
mod lines;
pub mod load;
mod login;
mod metered;
mod method;
pub mod metrics;
mod negotiated;
mod origins;
mod passing;
mod record;
pub mod refusal;
pub mod reload;
pub mod route;
mod series;
pub mod serve;
pub mod site;
pub mod target;
mod tokens;
mod trace;
mod trunks;
pub mod upgrade;
pub mod upstream;
mod watch;

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use carnet_listen::{Answers, PeerAddr};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use hyper::body::Body as _;
use tokio::time::{Duration, Instant};

use crate::back::{Stay, back};
use crate::caller::{Beside, No};
use crate::config::{AtExpiry, Spoofed};
use crate::forwarded::Origin;
use crate::metrics::Metrics;
use crate::passing::Streaming;
use crate::record::Record;
use crate::refusal::{Refusal, broken};
use crate::site::{Admitted, Route, Site};
use crate::target::Target;
use crate::upstream::Upstream;
use crate::watch::SessionEnd;

/// A gateway that runs: the site of the moment. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gateway {
    site: Arc<ArcSwap<Site>>,
    metrics: Arc<Metrics>,
}

impl Gateway {
    /// With this site.
    pub fn new(mut site: Site) -> Self {
        site.watch();
        Self {
            site: Arc::new(ArcSwap::from_pointee(site)),
            metrics: Arc::default(),
        }
    }

    /// What proxies ask, for a listener that clients do not reach.
    pub fn forward_auth(&self) -> Router {
        forward_auth::router(Arc::clone(&self.site), Arc::clone(&self.metrics))
    }

    /// The site of the moment.
    pub fn site(&self) -> Arc<Site> {
        self.site.load_full()
    }

    /// Another site from now on. Requests that are under way end as they began.
    pub fn change(&self, mut site: Site) {
        site.watch();
        let site = Arc::new(site);
        site.succeeds(&self.site.load());
        site.replaces(&self.site.swap(Arc::clone(&site)));
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

/// The listener adds [`PeerAddr`] to each request.
impl Answers for Gateway {
    fn answer(&self, request: Request) -> impl Future<Output = Response> + Send {
        answer(self, request)
    }
}

async fn answer(gateway: &Gateway, request: Request) -> Response {
    let site = gateway.site.load_full();
    let (version, tunnel) = (request.version(), request.method() == Method::CONNECT);
    let mut record = Record::of(&request, &site.trusted_proxies);
    record.logged(site.config.log.access);
    let mut answered = pass(&site, request, &mut record).await;
    if tunnel {
        answered = answered.and_then(|response| Ok(upgrade::answer_tunnel(response)?));
    }
    let mut response = answered.unwrap_or_else(|no| no.answer(&mut record));
    // Whoever sent something that programs read in two ways is not listened to any more.
    // Nor is what follows a CONNECT that was refused: its sender may take it for what goes through the tunnel.
    if (tunnel || response.status() == StatusCode::BAD_REQUEST) && version < Version::HTTP_2 {
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    record.trace.name(response.headers_mut());
    gateway.metrics.count(&record, response.status());
    if site.config.log.access {
        record.write(response.status());
    }
    response
}

/// Finds the route of a request; what scripts of other origins may know of its answer is said here, whatever the answer is.
async fn pass(site: &Site, request: Request, record: &mut Record) -> Result<Response, No> {
    let (mut parts, body) = request.into_parts();
    upgrade::unfold(&mut parts)?;
    let target = Target::read(&parts)?;
    target::rewrite(&mut parts, &target)?;
    record.target(&target);
    if let Some(bff) = &site.bff
        && let Some(endpoint) = bff.endpoint_of(&target.path)
    {
        let (_, origin) = origin_of(site, &parts, &target)?;
        record.trace.name(&mut parts.headers);
        let response = Box::pin(bff.answer(endpoint, &origin, site.guard(), (parts, body))).await;
        record.refused(refusal::said(&response));
        return Ok(response);
    }
    if let Some(metadata) = site.published.answer(&target, &parts.method) {
        return Ok(metadata);
    }
    if let Some(assertions) = &site.assertions
        && target.path == assertion::JWKS_PATH
        && parts.method == Method::GET
    {
        return Ok(assertions.published());
    }
    if let Some(method) = cors::asked_method(&parts)
        && let Ok((route, _)) = site.find(&target, &method)
        && let Some(cors) = &route.cors
    {
        record.route(&route.name);
        return Ok(cors.preflight(&parts.headers)?);
    }
    let (route, upstream) = site.find(&target, &parts.method)?;
    let upstream = upstream.ok_or(NOWHERE)?;
    record.route(&route.name);
    let origin = parts.headers.get(header::ORIGIN).cloned();
    let asked = Forward {
        site,
        route,
        upstream,
        target,
    };
    let mut beside = Beside::default();
    let answered = asked.forward(parts, body, (record, &mut beside)).await;
    let mut response = answered.unwrap_or_else(|no| no.answer(record));
    beside.write(response.headers_mut());
    if let Some(cors) = route.cors.as_ref().filter(|_| !upgrade::is_joined(&response)) {
        cors.decorate(origin.as_ref(), response.headers_mut());
    }
    Ok(response)
}

/// A request that has a route.
struct Forward<'s> {
    site: &'s Site,
    route: &'s Route,
    upstream: &'s Upstream,
    target: Target,
}

impl Forward<'_> {
    async fn forward(
        self,
        mut parts: Parts,
        body: Body,
        (record, beside): (&mut Record, &mut Beside),
    ) -> Result<Response, No> {
        let Self {
            site,
            route,
            upstream,
            target,
        } = self;
        let (peer, origin) = origin_of(site, &parts, &target)?;
        record.client(origin.client);
        let asked = upgrade::asked(&mut parts, route.sockets.as_ref(), (&target, origin.https))?;
        let certificate = site.certificates.as_ref();
        let certificate = certificate.and_then(|from| from.told(peer, &parts));
        headers::strip_hop_by_hop(&mut parts.headers);
        let claims = site.names.identity.strip(&mut parts.headers);
        site.names.others.strip(&mut parts.headers);
        if claims && site.spoofed == Spoofed::Refuse {
            return Err(SPOOFED.into());
        }
        // From here on whoever says no says it of this request.
        record.trace.name(&mut parts.headers);

        let shown = caller::Shown {
            certificate,
            peer,
            client: origin.client,
            authority: &origin.authority,
        };
        let (session, caller) =
            caller::let_in((site, route), (&mut parts, asked.is_some()), shown, beside).await?;
        record.caller(|| caller.named());
        beside.standing = route.count(&caller, origin.client)?;
        if hops::is_last(&mut parts) {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        caller::tell(site, (route, Some(upstream)), &caller, &mut parts.headers).await?;

        dress(&mut parts.headers, (site, route, &target), asked.as_ref())?;
        origin.write(&mut parts.headers);
        hops::sign(&mut parts.headers, parts.version);
        record.trace.write(&mut parts.headers);
        parts.extensions.clear();
        let until = match route.at_expiry {
            AtExpiry::Close => end_of(&caller, site),
            AtExpiry::Keep => None,
        };
        let bff = session.as_ref().zip(site.bff.as_ref());
        let end = || bff.map(|(session, bff)| -> SessionEnd { Box::pin(bff.end_of(session)) });
        let over = end();
        let body = match headers::is_grpc(&parts.headers) && !body.is_end_stream() {
            true => Body::new(Streaming::new(body, until, route.watch(&caller, end()))),
            false => body,
        };
        let request = Request::from_parts(parts, body);
        let (response, load) = caller::ask(site, (route, upstream), session, (request, beside)).await?;
        let stay = Stay {
            load,
            until,
            over,
            idle: upstream.idle_timeout,
            caller,
        };
        back((site, route), response, asked, stay)
    }
}

/// Who is at the other end of the connection, and where the request comes from.
fn origin_of(site: &Site, parts: &Parts, target: &Target) -> Result<(PeerAddr, Origin), Refusal> {
    let peer = parts.extensions.get::<PeerAddr>();
    let peer = *peer.ok_or_else(|| broken("the listener says of no peer"))?;
    let origin = Origin::read(peer, site.https, &parts.headers, target, &site.trusted_proxies);
    Ok((peer, origin))
}

/// What the service sees of cookies, host and handshake.
fn dress(
    headers: &mut HeaderMap,
    (site, route, target): (&Site, &Route, &Target),
    asked: Option<&upgrade::Asked>,
) -> Result<(), Refusal> {
    site.leave_cookies(route, headers);
    headers::join_lines(headers);
    let authority = HeaderValue::try_from(&*target.authority()).map_err(broken)?;
    headers.insert(header::HOST, authority);
    if let Some(asked) = asked {
        asked.ask(headers);
    }
    Ok(())
}

/// When the caller's token ends, as this process counts.
fn end_of(caller: &Admitted, site: &Site) -> Option<Instant> {
    let left = Duration::from_secs(caller.expires()?).saturating_sub(site.clock.since_epoch());
    Instant::now().checked_add(left)
}

const SPOOFED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "identity_spoofed",
    "the request has a header that only the gateway may say",
);
const NOWHERE: Refusal = Refusal::new(
    StatusCode::NOT_FOUND,
    "route_unknown",
    "nothing is here: this route is for proxies that ask",
);
