//! Whether a request that a proxy describes may pass, and what its service is told.
//!
//! Spec: RFC 6750 §3 · RFC 9110 §10.1.2 · RFC 9440 §3 (certificates)

use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderName, HeaderValue, StatusCode};

use super::described::Asked;
use crate::assertion;
use crate::bff::Sent;
use crate::caller::{self, Beside, CALLING_SERVICE};
use crate::config::Spoofed;
use crate::headers;
use crate::record::Record;
use crate::refusal::Refusal;
use crate::site::{Admitted, Site};
use crate::upgrade;

/// What a service is told.
pub(super) struct Told {
    /// Every header that the gateway may say, and its value.
    pub(super) headers: Vec<(HeaderName, Option<HeaderValue>)>,
    /// What only proxies may say of where a request came from, and this one has not: it takes them out, if it can be told to.
    pub(super) foreign: Vec<HeaderName>,
}

/// Judges a request. A proxy cannot take out what it does not know: what some service could take for a header of the gateway's is refused.
pub(super) async fn judge(site: &Site, asked: Asked, record: &mut Record) -> Result<Told, Response> {
    let said = |name| asked.parts.headers.contains_key(name);
    if NOT_LISTED.iter().any(said) || unwelcome(site, &asked).next().is_some() {
        return Err(refused(SPOOFED, record));
    }
    judge_rest(site, asked, record).await
}

/// Judges a request whose proxy takes out what [`unwelcome`] finds.
pub(super) async fn judge_rest(site: &Site, asked: Asked, record: &mut Record) -> Result<Told, Response> {
    let foreign = foreign(site, &asked);
    let Asked {
        mut parts,
        target,
        https,
        ..
    } = asked;
    record.target(&target);
    record.method(&parts.method);
    let (route, upstream) = site
        .find(&target, &parts.method)
        .map_err(|refusal| refused(refusal, record))?;
    record.route(&route.name);
    for name in BY_PROXIES {
        parts.headers.remove(name);
    }
    if site.names.identity.strip(&mut parts.headers) && site.spoofed == Spoofed::Refuse {
        return Err(refused(SPOOFED, record));
    }
    record.trace.name(&mut parts.headers);
    let socket = upgrade::told(&parts.headers, route.sockets.as_ref(), (&target, https))
        .map_err(|refusal| refused(refusal, record))?;
    let sent = Sent {
        socket,
        window: route.login.is_some(),
        authority: &target.authority(),
    };
    // A session shows a token as well, which its browser knows nothing of.
    let shown = parts.headers.contains_key(AUTHORIZATION);
    // Nothing of a session comes back by this way: what browsers carry themselves is not for routes that proxies ask about.
    let admitted = caller::admit((site, route), (&mut parts, sent), &mut Beside::default()).await;
    let caller = match admitted {
        Ok((_, caller)) => caller,
        Err(no) => {
            let login = route.login.as_ref().filter(|_| no.is_nobody() && !shown);
            let redirect = login.and_then(|login| login.redirect((&parts, &target, https)));
            let answer = no.answer(record);
            return Err(redirect.unwrap_or(answer));
        }
    };
    record.caller(|| caller.named());
    // Strangers have no address here that could be believed: the proxy limits them.
    if !matches!(caller, Admitted::Anybody) {
        route
            .count(&caller, None)
            .map_err(|refusal| refused(refusal, record))?;
    }
    caller::tell(site, (route, upstream), &caller, &mut parts.headers)
        .await
        .map_err(|refusal| refused(refusal, record))?;
    site.leave_cookies(route, &mut parts.headers);
    headers::join_lines(&mut parts.headers);
    let headers = spoken(site)
        .map(|name| (name.clone(), parts.headers.get(&name).cloned()))
        .collect();
    Ok(Told { headers, foreign })
}

/// The answer that a refusal is, put on record.
pub(super) fn refused(refusal: Refusal, record: &mut Record) -> Response {
    record.refused(refusal.code());
    refusal.into_response()
}

/// The headers in which the gateway speaks. The proxy puts them in place of what the client sent.
fn spoken(site: &Site) -> impl Iterator<Item = HeaderName> {
    let identity = site.identity.iter().map(|header| header.name.clone());
    // Also where there is nothing to say: Caddy writes the name of a variable where its list names what was not said.
    identity.chain(NOT_LISTED).chain([AUTHORIZATION, COOKIE])
}

/// Headers of a client that reach the service unless somebody takes them out, and that it may believe.
pub(super) fn unwelcome<'h>(site: &'h Site, asked: &'h Asked) -> impl Iterator<Item = &'h HeaderName> {
    let spoken: Vec<HeaderName> = spoken(site).collect();
    let names = &site.names;
    let told = site.certificates.as_ref().zip(asked.peer);
    let is_told = move |name| told.is_some_and(|(from, peer)| from.is_told_by(peer, name));
    asked.parts.headers.keys().filter(move |name| {
        let plain = name
            .as_str()
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let claims =
            names.identity.takes(name) && !spoken.contains(name) && !BY_PROXIES.contains(&name.as_str());
        let certificate = names.certificates.takes(name) && !is_told(name);
        let others = names.overriding.takes(name) || (!plain && names.others.takes(name));
        claims || certificate || others || headers::seems_to_frame(name)
    })
}

/// What is said of where a request came from, by headers that its proxy does not write itself.
fn foreign(site: &Site, asked: &Asked) -> Vec<HeaderName> {
    let written = |name: &str| WRITTEN.contains(&name) || name.starts_with("x-envoy-");
    let told = |name: &HeaderName| site.names.certificates.takes(name);
    let names = asked.parts.headers.keys();
    names
        .filter(|name| site.names.others.takes(name) && !told(name) && !written(name.as_str()))
        .cloned()
        .collect()
}

/// What the lists of proxies have not always named: nobody knows whether theirs replaces it.
const NOT_LISTED: [HeaderName; 2] = [CALLING_SERVICE, assertion::HEADER];

/// What the ingress of Kubernetes adds when it asks: where to come back to, and nothing of who asks.
const BY_PROXIES: [&str; 1] = ["x-auth-request-redirect"];

/// What Envoy, which can be told what to take out, writes itself, beside what is its own by name.
const WRITTEN: [&str; 5] = [
    "traceparent",
    "tracestate",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-request-id",
];

const SPOOFED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "identity_spoofed",
    "the request has a header that only the gateway may say",
);
