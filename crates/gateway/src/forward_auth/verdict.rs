//! Whether a request that a proxy describes may pass, and what its service is told.
//!
//! Spec: RFC 6750 §3 · RFC 9110 §10.1.2

use std::net::{IpAddr, Ipv4Addr};

use axum::response::{IntoResponse, Response};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::described::Asked;
use crate::assertion;
use crate::caller;
use crate::config::Spoofed;
use crate::headers::Reserved;
use crate::record::Record;
use crate::refusal::Refusal;
use crate::site::Site;

/// What a service is told.
pub(super) struct Told {
    /// Every header that the gateway may say, and its value.
    pub(super) headers: Vec<(HeaderName, Option<HeaderValue>)>,
}

/// Judges a request. A proxy cannot take out what it does not know: what some service could take for a header of the gateway's is refused.
pub(super) async fn judge(site: &Site, asked: Asked, record: &mut Record) -> Result<Told, Response> {
    if unwelcome(site, &asked.parts.headers).next().is_some() {
        return Err(refused(SPOOFED, record));
    }
    judge_rest(site, asked, record).await
}

/// Judges a request whose proxy takes out what [`unwelcome`] finds.
pub(super) async fn judge_rest(site: &Site, asked: Asked, record: &mut Record) -> Result<Told, Response> {
    let Asked {
        mut parts,
        target,
        https,
    } = asked;
    record.target(&target);
    record.method(&parts.method);
    let (route, upstream) = site
        .find(&target, &parts.method)
        .map_err(|refusal| refused(refusal, record))?;
    record.route(&route.name);
    if site.identity_names.strip(&mut parts.headers) && site.spoofed == Spoofed::Refuse {
        return Err(refused(SPOOFED, record));
    }
    let caller = match route.admit(&parts).await {
        Ok(caller) => caller,
        Err(denied) => {
            record.refused(denied.code());
            let login = route.login.as_ref();
            return Err(login
                .and_then(|login| login.redirect(&denied, (&parts, &target, https)))
                .unwrap_or_else(|| denied.into_response()));
        }
    };
    record.caller(caller.as_ref());
    // Strangers have no address here that could be believed: the proxy limits them.
    if let (Some(limit), Some(_)) = (&route.limit, &caller) {
        let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        limit
            .count(caller.as_ref(), nobody)
            .map_err(|refusal| refused(refusal, record))?;
    }
    caller::tell(site, (route, upstream), caller.as_ref(), &mut parts.headers)
        .await
        .map_err(|refusal| refused(refusal, record))?;
    let headers = spoken(site)
        .map(|name| {
            let value = parts.headers.get(&name).cloned();
            (name, value)
        })
        .collect();
    Ok(Told { headers })
}

/// The answer that a refusal is, put on record.
pub(super) fn refused(refusal: Refusal, record: &mut Record) -> Response {
    record.refused(refusal.code());
    refusal.into_response()
}

/// The headers in which the gateway speaks. The proxy puts them in place of what the client sent.
fn spoken(site: &Site) -> impl Iterator<Item = HeaderName> {
    let assertion = site.assertions.as_ref().map(|_| assertion::HEADER);
    let identity = site.identity.iter().map(|header| header.name.clone());
    identity.chain(assertion).chain([AUTHORIZATION])
}

/// Headers of a client that reach the service unless somebody takes them out, and that it may believe.
pub(super) fn unwelcome<'h>(site: &'h Site, headers: &'h HeaderMap) -> impl Iterator<Item = &'h HeaderName> {
    let spoken: Vec<HeaderName> = spoken(site).collect();
    let overriding = Reserved::new(OVERRIDING);
    headers.keys().filter(move |name| {
        let text = name.as_str();
        let plain = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let claims = site.identity_names.covers(text) && !spoken.contains(name);
        claims || overriding.covers(text) || (!plain && site.other_names.covers(text))
    })
}

/// What makes services see another path, method, proxy or user than was judged. Of `X-Forwarded-…` the rest is the proxy's.
const OVERRIDING: [&str; 13] = [
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Access-Token",
    "X-Original-URL",
    "X-Original-URI",
    "X-Original-Method",
    "X-Rewrite-URL",
    "X-HTTP-Method",
    "X-HTTP-Method-Override",
    "X-Method-Override",
    "Proxy",
];

const SPOOFED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "identity_spoofed",
    "the request has a header that only the gateway may say",
);
