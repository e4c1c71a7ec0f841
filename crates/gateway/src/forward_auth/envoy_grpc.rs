//! Envoy's `ext_authz` over gRPC: one method that takes a request and gives a verdict.
//!
//! Spec: envoy.service.auth.v3.Authorization · gRPC over HTTP/2

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use carnet_listen::PeerAddr;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};

use super::described::{Asked, assemble};
use super::verdict::{self, Told};
use super::wire::{self, Malformed, put, put_number};
use crate::record::Record;
use crate::refusal::Refusal;
use crate::site::Site;

/// Where the method is.
pub(super) const PATH: &str = "/envoy.service.auth.v3.Authorization/Check";

/// Answers one call, and says what the verdict is as a status of HTTP. What is no question gets an error of gRPC, which Envoy takes for a no.
pub(super) async fn answer(site: &Site, request: Request, record: &mut Record) -> (Response, StatusCode) {
    let nothing = || (reply(Bytes::new(), INVALID_ARGUMENT), StatusCode::BAD_REQUEST);
    let peer = request.extensions().get::<PeerAddr>().copied();
    let body = Limited::new(request.into_body(), MOST_BYTES).collect().await;
    let Ok(bytes) = body.map(http_body_util::Collected::to_bytes) else {
        return nothing();
    };
    let Ok(question) = message(&bytes).and_then(Question::read) else {
        return nothing();
    };
    let mut removed: Vec<HeaderName> = Vec::new();
    let told = match question.asked() {
        Ok(asked) => {
            let asked = asked.from(peer);
            removed.extend(verdict::unwelcome(site, &asked).cloned());
            verdict::judge_rest(site, asked, record).await
        }
        Err(refusal) => Err(verdict::refused(refusal, record)),
    };
    let status = told.as_ref().map_or_else(Response::status, |_| StatusCode::OK);
    let verdict = match told {
        Ok(told) => allowed(&told, &removed),
        Err(response) => denied(response).await,
    };
    let mut framed = vec![0];
    framed.extend_from_slice(&u32::try_from(verdict.len()).unwrap_or(u32::MAX).to_be_bytes());
    framed.extend_from_slice(&verdict);
    (reply(framed.into(), OK), status)
}

/// The one message of a call: a flag that says that it is not compressed, four bytes of length, and itself.
fn message(body: &[u8]) -> Result<&[u8], Malformed> {
    let (head, message) = body.split_at_checked(5).ok_or(Malformed)?;
    let length = head[1..]
        .iter()
        .fold(0, |length, byte| length << 8 | usize::from(*byte));
    match head[0] == 0 && message.len() == length {
        true => Ok(message),
        false => Err(Malformed),
    }
}

/// `attributes.request.http` of a `CheckRequest`.
struct Question<'m> {
    method: &'m str,
    scheme: &'m str,
    host: &'m str,
    path: &'m str,
    headers: HeaderMap,
}

impl<'m> Question<'m> {
    fn read(message: &'m [u8]) -> Result<Self, Malformed> {
        let attributes = wire::only(message, 1)?;
        let http = wire::only(wire::only(attributes, 4)?, 2)?;
        let mut headers = HeaderMap::new();
        for pair in wire::all(http, 3)? {
            let name = wire::text(pair, 1)?;
            // Envoy lists the pseudo-headers as well.
            if name.starts_with(':') {
                continue;
            }
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Malformed)?;
            let value = HeaderValue::from_bytes(wire::only(pair, 2)?).map_err(|_| Malformed)?;
            headers.append(name, value);
        }
        Ok(Self {
            method: wire::text(http, 2)?,
            path: wire::text(http, 4)?,
            host: wire::text(http, 5)?,
            scheme: wire::text(http, 6)?,
            headers,
        })
    }

    fn asked(self) -> Result<Asked, Refusal> {
        let url = (Some(self.scheme), self.host, self.path);
        assemble(self.method, url, self.headers)
    }
}

/// A `CheckResponse` with an `OkHttpResponse`: what is said replaces what the client said, and all else of that kind is taken out.
fn allowed(told: &Told, removed: &[HeaderName]) -> Vec<u8> {
    let mut ok = Vec::new();
    for (name, value) in &told.headers {
        match value {
            Some(value) => put(&mut ok, 2, &option(name.as_str(), value.as_bytes())),
            None => put(&mut ok, 5, name.as_str().as_bytes()),
        }
    }
    for name in removed.iter().chain(&told.foreign) {
        put(&mut ok, 5, name.as_str().as_bytes());
    }
    let mut response = Vec::new();
    put(&mut response, 1, &[]);
    put(&mut response, 3, &ok);
    response
}

/// A `CheckResponse` with a `DeniedHttpResponse`.
async fn denied(response: Response) -> Vec<u8> {
    let (parts, body) = response.into_parts();
    let mut http_status = Vec::new();
    put_number(&mut http_status, 1, parts.status.as_u16().into());
    let mut denied = Vec::new();
    put(&mut denied, 1, &http_status);
    for name in parts
        .headers
        .keys()
        .filter(|name| **name != header::CONTENT_LENGTH)
    {
        // One line for several challenges (RFC 9110 §11.6.1): lines that Envoy sets replace each other.
        let values: Vec<&[u8]> = parts
            .headers
            .get_all(name)
            .iter()
            .map(HeaderValue::as_bytes)
            .collect();
        put(&mut denied, 2, &option(name.as_str(), &values.join(&b", "[..])));
    }
    if let Ok(body) = body.collect().await {
        put(&mut denied, 3, &body.to_bytes());
    }
    let mut status = Vec::new();
    let unauthenticated = parts.status == StatusCode::UNAUTHORIZED;
    put_number(
        &mut status,
        1,
        if unauthenticated {
            UNAUTHENTICATED
        } else {
            PERMISSION_DENIED
        },
    );
    let mut response = Vec::new();
    put(&mut response, 1, &status);
    put(&mut response, 2, &denied);
    response
}

/// A `HeaderValueOption` that overwrites.
fn option(name: &str, value: &[u8]) -> Vec<u8> {
    let mut header = Vec::new();
    put(&mut header, 1, name.as_bytes());
    put(&mut header, 2, value);
    let mut option = Vec::new();
    put(&mut option, 1, &header);
    put_number(&mut option, 3, OVERWRITE_IF_EXISTS_OR_ADD);
    option
}

fn reply(message: Bytes, status: &'static str) -> Response {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(status));
    let body = Full::new(message).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(Body::new(body));
    let kind = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// More than a head that a proxy takes, and what Envoy says around it.
const MOST_BYTES: usize = 1024 * 1024;

const OK: &str = "0";
const INVALID_ARGUMENT: &str = "3";
const PERMISSION_DENIED: u64 = 7;
const UNAUTHENTICATED: u64 = 16;
const OVERWRITE_IF_EXISTS_OR_ADD: u64 = 2;
