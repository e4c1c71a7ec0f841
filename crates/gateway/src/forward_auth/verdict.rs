//! Whether a request that a proxy describes may pass, and what its service is told.
//!
//! Spec: RFC 6750 §3 · RFC 9110 §10.1.2

use axum::response::{IntoResponse, Response};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::described::Asked;
use crate::assertion;
use crate::caller::{self, CALLING_SERVICE};
use crate::config::Spoofed;
use crate::record::Record;
use crate::refusal::Refusal;
use crate::site::{Admitted, Site};

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
    for name in BY_PROXIES {
        parts.headers.remove(name);
    }
    if site.names.identity.strip(&mut parts.headers) && site.spoofed == Spoofed::Refuse {
        return Err(refused(SPOOFED, record));
    }
    record.trace.name(&mut parts.headers);
    let caller = match route.admit(&parts).await {
        Ok(caller) => caller,
        Err(denied) => {
            record.refused(denied.code());
            let login = route.login.as_ref();
            return Err(login
                .and_then(|login| login.redirect(&denied, (&parts, &target, https)))
                .unwrap_or_else(|| route.refusal(&denied)));
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
    let services = site.config.services.is_some() || site.config.spiffe.is_some();
    let service = services.then_some(CALLING_SERVICE);
    identity.chain(assertion).chain(service).chain([AUTHORIZATION])
}

/// Headers of a client that reach the service unless somebody takes them out, and that it may believe.
pub(super) fn unwelcome<'h>(site: &'h Site, headers: &'h HeaderMap) -> impl Iterator<Item = &'h HeaderName> {
    let spoken: Vec<HeaderName> = spoken(site).collect();
    let names = &site.names;
    headers.keys().filter(move |name| {
        let plain = name
            .as_str()
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let claims =
            names.identity.takes(name) && !spoken.contains(name) && !BY_PROXIES.contains(&name.as_str());
        claims || names.overriding.takes(name) || (!plain && names.others.takes(name))
    })
}

/// What the ingress of Kubernetes adds when it asks: where to come back to, and nothing of who asks.
const BY_PROXIES: [&str; 1] = ["x-auth-request-redirect"];

const SPOOFED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "identity_spoofed",
    "the request has a header that only the gateway may say",
);
