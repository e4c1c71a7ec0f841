//! The request that a proxy asks about, from the one place where that proxy describes it.
//!
//! Spec: RFC 3986 §3 · RFC 9110 §7.1, §9.1

use carnet_listen::PeerAddr;
use http::header::{HOST, UPGRADE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};

use crate::certificates::name_peer;
use crate::config::Dialect;
use crate::refusal::Refusal;
use crate::target::Target;

/// Below it, Envoy repeats the path.
pub(super) const ENVOY_PREFIX: &str = "/forward-auth/envoy/";

/// A request that is somewhere else.
pub(super) struct Asked {
    /// Its head; nothing in it is the proxy's.
    pub(super) parts: Parts,
    /// What it is for.
    pub(super) target: Target,
    /// Whether its client spoke TLS, when the proxy says.
    pub(super) https: Option<bool>,
    /// The proxy.
    pub(super) peer: Option<PeerAddr>,
}

impl Asked {
    /// Which proxy asks: some are believed when they tell which certificate the client has shown.
    pub(super) fn from(mut self, proxy: Option<PeerAddr>) -> Self {
        if let Some(proxy) = proxy {
            name_peer(proxy, &mut self.parts);
        }
        self.peer = proxy;
        self
    }
}

/// Reads what this proxy writes. What is missing, is there twice or is no such thing is refused: nothing is guessed.
pub(super) fn read(dialect: Dialect, mut parts: Parts) -> Result<Asked, Refusal> {
    let headers = &mut parts.headers;
    match dialect {
        Dialect::Nginx => {
            let method = take(headers, ORIGINAL_METHOD)?;
            let url = take(headers, ORIGINAL_URL)?;
            let (scheme, rest) = url.split_once("://").ok_or(UNCLEAR)?;
            let (host, path) = rest.split_at(rest.find('/').ok_or(UNCLEAR)?);
            // It sends no header whose value is empty.
            if headers.contains_key(ORIGINAL_UPGRADE) {
                upgrade(headers)?;
            }
            assemble(&method, (Some(scheme), host, path), parts.headers)
        }
        // It passes on what a client calls its host, whatever that is: what would be a path in a URL is no host here.
        Dialect::Haproxy => {
            let method = take(headers, ORIGINAL_METHOD)?;
            let scheme = take(headers, ORIGINAL_SCHEME)?;
            let host = take(headers, ORIGINAL_HOST)?;
            let path = take(headers, ORIGINAL_PATH)?;
            upgrade(headers)?;
            assemble(&method, (Some(&scheme), &host, &path), parts.headers)
        }
        Dialect::Caddy | Dialect::Traefik => {
            let method = take(headers, FORWARDED_METHOD)?;
            let scheme = take(headers, FORWARDED_PROTO)?;
            let host = take(headers, FORWARDED_HOST)?;
            let path = take(headers, FORWARDED_URI)?;
            assemble(&method, (Some(&scheme), &host, &path), parts.headers)
        }
        Dialect::Envoy | Dialect::EnvoyGrpc => {
            let host = match parts.uri.authority() {
                Some(authority) => authority.to_string(),
                None => take(headers, HOST)?,
            };
            let path = parts.uri.path_and_query().map_or("", PathAndQuery::as_str);
            let path = path.strip_prefix(ENVOY_WITHOUT_SLASH).ok_or(UNCLEAR)?;
            // It writes this itself, and sends it unless it is told to leave it out.
            let told = parts.headers.contains_key(FORWARDED_PROTO);
            let scheme = told.then(|| take(&mut parts.headers, FORWARDED_PROTO));
            let scheme = scheme.transpose()?;
            let url = (scheme.as_deref(), host.as_str(), path);
            assemble(parts.method.as_str(), url, parts.headers)
        }
    }
}

/// From the method, the URL in parts, and the headers of the client.
pub(super) fn assemble(
    method: &str,
    (scheme, host, path): (Option<&str>, &str, &str),
    mut headers: HeaderMap,
) -> Result<Asked, Refusal> {
    let https = match scheme.map(str::to_ascii_lowercase).as_deref() {
        Some("https" | "wss") => Some(true),
        Some("http" | "ws") => Some(false),
        Some(_) => return Err(UNCLEAR),
        None => None,
    };
    // What is behind a fragment's sign would be cut off without a word.
    if path.contains('#') || !path.starts_with('/') {
        return Err(UNCLEAR);
    }
    let path: PathAndQuery = path.parse().map_err(|_| UNCLEAR)?;
    headers.insert(HOST, HeaderValue::from_str(host).map_err(|_| UNCLEAR)?);
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(|_| UNCLEAR)?;
    *request.uri_mut() = Uri::from(path);
    *request.headers_mut() = headers;
    let (parts, ()) = request.into_parts();
    let target = Target::read(&parts)?;
    // The proxy forwards what the client sent: unlike the gateway, it must have come in the spelling that is judged.
    if !target.path.eq_ignore_ascii_case(parts.uri.path()) {
        return Err(SPELLING);
    }
    Ok(Asked {
        parts,
        target,
        https,
        peer: None,
    })
}

/// Puts the client's `Upgrade` back, which a proxy that asks by a request of its own says under another name; empty where there was none.
fn upgrade(headers: &mut HeaderMap) -> Result<(), Refusal> {
    let said = take(headers, ORIGINAL_UPGRADE)?;
    headers.remove(UPGRADE);
    if !said.is_empty() {
        headers.insert(UPGRADE, HeaderValue::try_from(said).map_err(|_| UNCLEAR)?);
    }
    Ok(())
}

/// The one value of a header, which is gone then.
fn take(headers: &mut HeaderMap, name: HeaderName) -> Result<String, Refusal> {
    let mut values = headers.get_all(&name).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(UNCLEAR);
    };
    let value = value.to_str().map_err(|_| UNCLEAR)?.to_owned();
    headers.remove(&name);
    Ok(value)
}

const ENVOY_WITHOUT_SLASH: &str = "/forward-auth/envoy";

const ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
const ORIGINAL_URL: HeaderName = HeaderName::from_static("x-original-url");
const ORIGINAL_SCHEME: HeaderName = HeaderName::from_static("x-original-scheme");
const ORIGINAL_HOST: HeaderName = HeaderName::from_static("x-original-host");
const ORIGINAL_PATH: HeaderName = HeaderName::from_static("x-original-path");
const ORIGINAL_UPGRADE: HeaderName = HeaderName::from_static("x-original-upgrade");
const FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");

const UNCLEAR: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "forward_auth_unclear",
    "the proxy does not say clearly which request it asks about; docs/forward-auth.md shows how it is told to",
);
const SPELLING: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "path_invalid",
    "the path has dot segments or needless escapes, and the proxy would forward them",
);
