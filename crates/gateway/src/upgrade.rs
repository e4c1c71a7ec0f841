//! WebSockets: a handshake that goes through, and two streams that are joined for as long as the caller's token and session last.
//!
//! Over HTTP/1.1 a client asks by `Upgrade`, over HTTP/2 by an extended CONNECT. Here it is a handshake of HTTP/1.1 either way, until a service
//! is asked over HTTP/2.
//!
//! Spec: RFC 6455 §4.1, §4.2, §10.2 (Origin) · RFC 8441 §4, §5 (HTTP/2) · RFC 9110 §7.8 (Upgrade)

mod joined;

pub(crate) use joined::Ends;

use axum::body::Body;
use carnet_jose::{base64url, primitive};
use carnet_listen::{Closing, Hold};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;

use crate::lines::Errand;
use crate::negotiated;
use crate::refusal::{Refusal, broken};
use crate::target::Target;

/// What a route says of WebSockets.
#[derive(Clone, Debug)]
pub struct Sockets {
    /// Pages of other origins that may open one.
    pub origins: Vec<String>,
}

/// The client's side of a handshake.
pub(crate) struct Asked {
    client: OnUpgrade,
    /// Comes when the gateway is about to stop.
    closing: Option<Closing>,
    /// The nonce of a handshake in HTTP/1.1. An extended CONNECT lacks it: then it is ours, and so is the check of its proof.
    key: HeaderValue,
    /// Whether the client asks over HTTP/2.
    extended: bool,
    /// Keeps a connection on which nothing but WebSockets happens from being taken for idle.
    hold: Option<Hold>,
}

/// How a service grants a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Granted {
    /// By switching protocols, with the proof for a nonce.
    Switched,
    /// By taking an extended CONNECT.
    Connected,
}

/// In the extensions of a request: it came as an extended CONNECT.
#[derive(Clone, Copy)]
struct Tunnel;

/// In the extensions of an answer: both sides switch. Without it no CONNECT is granted.
#[derive(Clone, Copy)]
struct Joined;

impl Sockets {
    /// §10.2: pages of the host that is asked may open one, where that is known of the same scheme, and those that are listed.
    fn demand(&self, headers: &HeaderMap, (target, https): (&Target, Option<bool>)) -> Result<(), Refusal> {
        let authority = target.authority();
        let is_own = |origin: &str| match origin.split_once("://") {
            Some(("https", host)) => https != Some(false) && host == authority,
            Some(("http", host)) => https != Some(true) && host == authority,
            _ => false,
        };
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let may = |origin: &str| is_own(origin) || self.origins.iter().any(|listed| listed == origin);
        match origins.all(|origin| origin.to_str().is_ok_and(may)) {
            true => Ok(()),
            false => Err(ORIGIN),
        }
    }
}

/// Whether a request that a proxy describes begins a WebSocket. Some leave out what is for one connection alone, such as `Upgrade`; what else
/// belongs to a handshake no script can write.
///
/// # Errors
/// 403 for one that a page of another origin begins, 501 where the route lets none through, 400 for another protocol: nobody would be asked
/// about what follows on a connection that switches to it.
pub(crate) fn told(
    headers: &HeaderMap,
    sockets: Option<&Sockets>,
    from: (&Target, Option<bool>),
) -> Result<bool, Refusal> {
    let mut named = headers.get_all(header::UPGRADE).iter();
    let websocket = match (named.next(), named.next()) {
        (None, _) => false,
        (Some(name), None) if name.as_bytes().eq_ignore_ascii_case(b"websocket") => true,
        _ => return Err(OTHER),
    };
    if headers.contains_key(HTTP2_SETTINGS) {
        return Err(OTHER);
    }
    let begins = websocket
        || headers.contains_key(header::SEC_WEBSOCKET_KEY)
        || headers.contains_key(header::SEC_WEBSOCKET_VERSION);
    match sockets {
        _ if !begins => Ok(false),
        None => Err(SOCKETLESS),
        Some(sockets) => sockets.demand(headers, from).map(|()| true),
    }
}

/// Takes an extended CONNECT for the GET that it is in HTTP/1.1 (RFC 8441 §5).
///
/// # Errors
/// 501 for another protocol than WebSocket.
pub(crate) fn unfold(parts: &mut Parts) -> Result<(), Refusal> {
    let Some(protocol) = parts.extensions.remove::<Protocol>() else {
        return Ok(());
    };
    if !protocol.as_str().eq_ignore_ascii_case("websocket") {
        return Err(UNSPOKEN);
    }
    parts.method = Method::GET;
    parts.extensions.insert(Tunnel);
    Ok(())
}

/// The handshake of a request, when it is one.
///
/// # Errors
/// 400 for a handshake with a mistake, 403 for one that a page of another origin begins, 501 for a CONNECT where no WebSocket is.
pub(crate) fn asked(
    parts: &mut Parts,
    sockets: Option<&Sockets>,
    (target, https): (&Target, bool),
) -> Result<Option<Asked>, Refusal> {
    let tunnel = parts.extensions.remove::<Tunnel>().is_some();
    let named = parts.headers.get(header::UPGRADE).map(HeaderValue::as_bytes);
    let websocket = named.is_some_and(|name| name.eq_ignore_ascii_case(b"websocket"));
    // RFC 9110 §7.8: other protocols are not taken up; the request is answered as if it had not asked.
    let sockets = match sockets {
        Some(sockets) if tunnel || websocket && parts.version == Version::HTTP_11 => sockets,
        _ if tunnel => return Err(UNSPOKEN),
        _ => return Ok(None),
    };
    let says = |name| {
        parts
            .headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
    };
    let upgrades = says(header::CONNECTION)
        .flat_map(|value| value.split(','))
        .any(|word| word.trim().eq_ignore_ascii_case("upgrade"));
    let version = says(header::SEC_WEBSOCKET_VERSION).eq(["13"]);
    let key = says(header::SEC_WEBSOCKET_KEY).count() == 1;
    // RFC 8441 §5: method, nonce and `Connection` are what an extended CONNECT does without.
    if !version || !tunnel && (parts.method != Method::GET || !upgrades || !key) {
        return Err(HANDSHAKE);
    }
    // A browser always says whose page it is; its cookies come along whoever that is.
    sockets.demand(&parts.headers, (target, Some(https)))?;
    let key = match parts.headers.get(header::SEC_WEBSOCKET_KEY) {
        Some(key) if !tunnel => key.clone(),
        _ => nonce()?,
    };
    let hold = parts.extensions.remove::<Hold>();
    let client = parts.extensions.remove::<OnUpgrade>();
    let closing = parts.extensions.remove::<Closing>();
    Ok(client.map(|client| Asked {
        client,
        closing,
        key,
        extended: tunnel,
        hold,
    }))
}

impl Asked {
    /// Whether it was asked by an extended CONNECT, which any 2xx grants.
    pub(crate) fn is_extended(&self) -> bool {
        self.extended
    }

    /// Asks the service for what the client has asked for.
    pub(crate) fn ask(&self, headers: &mut HeaderMap) {
        switch(headers);
        headers.insert(header::SEC_WEBSOCKET_KEY, self.key.clone());
    }

    /// How the service grants it, when it does.
    pub(crate) fn granted<B>(&self, response: &Response<B>) -> Option<Granted> {
        if response.version() == Version::HTTP_2 {
            return (response.status() == StatusCode::OK).then_some(Granted::Connected);
        }
        let says = |name: &HeaderName| response.headers().get(name).map(HeaderValue::as_bytes);
        // RFC 6455 §4.1: otherwise it is the answer to somebody else's handshake, or none. A client of HTTP/1.1 sees to that itself.
        let proven =
            !self.extended || says(&header::SEC_WEBSOCKET_ACCEPT) == Some(proof(&self.key).as_bytes());
        let granted = response.status() == StatusCode::SWITCHING_PROTOCOLS
            && says(&header::UPGRADE).is_some_and(|name| name.eq_ignore_ascii_case(b"websocket"))
            && proven;
        granted.then_some(Granted::Switched)
    }

    /// Tells the client, in its protocol, that the service grants it.
    pub(crate) fn grant<B>(&self, granted: Granted, response: &mut Response<B>) {
        response.extensions_mut().insert(Joined);
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        if self.extended {
            headers.remove(header::SEC_WEBSOCKET_ACCEPT);
            *response.status_mut() = StatusCode::OK;
            return;
        }
        switch(headers);
        if granted == Granted::Connected {
            // RFC 8441 §5: the service has none, and the client waits for it.
            if let Ok(proof) = HeaderValue::try_from(proof(&self.key)) {
                headers.insert(header::SEC_WEBSOCKET_ACCEPT, proof);
            }
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        }
    }
}

/// Whether a request to a service is a handshake. Nothing else has this header by then.
pub(crate) fn is_handshake<B>(request: &Request<B>) -> bool {
    request.headers().contains_key(header::UPGRADE)
}

/// A handshake, whose URI is a path, as an extended CONNECT to the server of the errand (RFC 8441 §5).
pub(crate) fn fold<B>(request: &Request<B>, errand: &Errand<'_>) -> Option<Request<Body>> {
    let mut folded = Request::new(Body::empty());
    *folded.method_mut() = Method::CONNECT;
    *folded.version_mut() = Version::HTTP_2;
    *folded.headers_mut() = request.headers().clone();
    *folded.uri_mut() = negotiated::target(errand, request.uri(), folded.headers_mut())?;
    for name in [
        header::CONNECTION,
        header::UPGRADE,
        header::SEC_WEBSOCKET_KEY,
        header::CONTENT_LENGTH,
    ] {
        folded.headers_mut().remove(name);
    }
    folded.extensions_mut().insert(Protocol::from_static("websocket"));
    Some(folded)
}

/// Joins both sides, once each has switched, until the caller's token ends or the gateway does. `hold` is dropped at the end.
pub(crate) fn join(asked: Asked, service: OnUpgrade, ends: Ends, hold: impl Send + 'static) {
    joined::join((asked.client, service), (ends, asked.closing), (hold, asked.hold));
}

/// Whether from here on both sides are joined.
pub(crate) fn is_joined<B>(response: &Response<B>) -> bool {
    response.extensions().get::<Joined>().is_some()
}

/// What a CONNECT is answered: any 2xx grants it (RFC 9110 §9.3.6), so that one which was not meant to becomes a 501.
pub(crate) fn answer_tunnel<B>(response: Response<B>) -> Result<Response<B>, Refusal> {
    match response.status().is_success() && !is_joined(&response) {
        true => Err(UNSPOKEN),
        false => Ok(response),
    }
}

fn switch(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}

/// RFC 6455 §4.1: 16 random bytes.
fn nonce() -> Result<HeaderValue, Refusal> {
    let mut bytes = [0; 16];
    primitive::fill_random(&mut bytes).map_err(broken)?;
    HeaderValue::try_from(base64(&bytes)).map_err(broken)
}

/// RFC 6455 §4.2.2: the answer to a nonce.
fn proof(key: &HeaderValue) -> String {
    base64(&primitive::sha1(&[key.as_bytes(), GUID].concat()))
}

/// RFC 4648 §4, which the rest of the house has no use for.
fn base64(bytes: &[u8]) -> String {
    let text = base64url::encode(bytes).replace('-', "+").replace('_', "/");
    format!("{text:=<width$}", width = text.len().next_multiple_of(4))
}

/// RFC 7540 §3.2.1: stands beside `Upgrade: h2c`.
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const HANDSHAKE: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "websocket_invalid",
    "a WebSocket begins with GET, Connection: upgrade, Sec-WebSocket-Version: 13 and one Sec-WebSocket-Key; over HTTP/2 with CONNECT and the version",
);
const ORIGIN: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "origin_refused",
    "pages of this origin may not open a WebSocket here",
);
const OTHER: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "upgrade_refused",
    "the request asks for another protocol than WebSocket, and the proxy might pass that on",
);
const SOCKETLESS: Refusal = Refusal::new(
    StatusCode::NOT_IMPLEMENTED,
    "protocol_unknown",
    "the route lets no WebSockets through",
);
const UNSPOKEN: Refusal = Refusal::new(
    StatusCode::NOT_IMPLEMENTED,
    "protocol_unknown",
    "what is here does not speak the protocol that CONNECT asks for",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_answered_as_the_specification_shows() {
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(proof(&key), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let (one, other) = (nonce().unwrap(), nonce().unwrap());
        assert!(one.len() == 24 && one != other && one.to_str().unwrap().ends_with("=="));
    }
}
