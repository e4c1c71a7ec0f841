//! The one place where a request that changes something, or opens a WebSocket, proves that a page of this app sent it.
//!
//! Spec: RFC 9700 §4.7 · RFC 10017 §6.1.3.3 · RFC 6455 §10.2

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use carnet_client::seal;
use carnet_jose::primitive;
use http::{HeaderMap, Method, Request, StatusCode};

use super::app::Web;
use super::page::{Answer, refused};
use super::session::Session;
use super::{body, source};

/// What forms of a session carry.
#[derive(Clone)]
pub(super) struct Proof {
    web: Web,
    session: Arc<str>,
}

impl Proof {
    pub(super) fn new(web: &Web, session: Option<&Session>) -> Self {
        Self {
            web: web.clone(),
            session: session.map_or("", |session| &session.id).into(),
        }
    }

    /// Of which login it is.
    pub(super) fn login(&self) -> (&Web, &Arc<str>) {
        (&self.web, &self.session)
    }

    /// A new one each time: a page that is compressed gives nothing away about it. `None` when there is no randomness.
    pub(super) fn make(&self) -> Option<String> {
        let nonce = seal::random()?;
        let mac = self.web.parts.keys.proofs(&self.session, &nonce).next()?;
        Some(format!("{nonce}.{mac}"))
    }
}

/// The request, when it only reads, or came from a page of ours and, in a session, carries that session's proof; else the refusal. Nothing has
/// happened before: no token was renewed, no handler ran.
pub(super) async fn demand(
    web: &Web,
    session: Option<&Session>,
    request: Request<Body>,
) -> Result<Request<Body>, Response> {
    let origin = &web.parts.settings.origin;
    let (method, headers) = (request.method(), request.headers());
    // Strict cookies come along from every page of the same site, another subdomain or port among them, and no answer keeps a socket closed.
    if source::is_socket(method, headers) && !source::opens_own_socket(headers, origin) {
        return Err(refusal(Answer::to(headers), FOREIGN_SOCKET));
    }
    // What has no body cannot bring a proof: a CONNECT is a socket, and its origin is known by now.
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    if reads || *method == Method::CONNECT {
        return Ok(request);
    }
    let answer = Answer::to(request.headers());
    if !source::is_ours(request.headers(), origin) {
        return Err(refusal(answer, "foreign_origin"));
    }
    // Nobody is logged in: there is nothing that another site could use.
    let Some(session) = session else {
        return Ok(request);
    };
    let (shown, request) = match header_of(request.headers()) {
        Some(shown) => (Some(shown), request),
        None => body::field(request, FIELD).await,
    };
    match shown {
        Some(shown) if is_good(web, session, &shown) => Ok(request),
        Some(_) => Err(refusal(answer, "proof_of_another_session")),
        None => Err(refusal(answer, "proof_missing")),
    }
}

fn is_good(web: &Web, session: &Session, shown: &str) -> bool {
    let Some((nonce, mac)) = shown.split_once('.') else {
        return false;
    };
    let mut good = web.parts.keys.proofs(&session.id, nonce);
    good.any(|good| primitive::verify_equal(good.as_bytes(), mac.as_bytes()))
}

/// Scripts send it so; two of them are one too many, as none is.
fn header_of(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(HEADER).iter();
    let value = values.next()?;
    Some(
        values
            .next()
            .map_or(value.to_str().unwrap_or_default(), |_| "")
            .to_owned(),
    )
}

fn refusal(answer: Answer, reason: &str) -> Response {
    tracing::info!(code = "csrf", reason, "a request was refused");
    refused(
        "csrf",
        (answer, StatusCode::FORBIDDEN),
        match reason {
            FOREIGN_SOCKET => "A WebSocket is opened by a page of this app, which its Origin says.",
            _ => {
                "This form was not made for the login that this browser has now. Go back, load the page again, and send it once more."
            }
        },
    )
}

/// The name of the form's field.
pub(super) const FIELD: &str = "_csrf";
const HEADER: &str = "x-csrf-token";
const FOREIGN_SOCKET: &str = "socket_of_a_foreign_origin";
