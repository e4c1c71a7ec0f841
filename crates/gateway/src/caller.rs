//! What a service is told of the caller: headers, a signed assertion, and the caller's token, another one, or none.
//!
//! Spec: RFC 8693 §2 · RFC 9449 §7 (a proof is for us, not for the service)

use axum::body::Body;
use axum::response::IntoResponse as _;
use carnet_client::error::ClientError;
use carnet_guard::{Auth, Refused};
use http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use hyper::body::{Body as _, Incoming};

use crate::assertion;
use crate::balance::Load;
use crate::bff::{Bff, Mapped, Session};
use crate::config::Token;
use crate::identity;
use crate::record::Record;
use crate::refusal::Refusal;
use crate::site::{Route, Site};
use crate::upstream::Upstream;

/// Why a request is not forwarded.
#[derive(Debug)]
pub(crate) enum No {
    /// The gateway says so.
    Gateway(Refusal),
    /// The guard says so.
    Guard(Refused),
}

impl No {
    /// The answer, and what the log says of it.
    pub(crate) fn answer(self, record: &mut Record) -> Response<Body> {
        match self {
            Self::Gateway(refusal) => {
                record.refused(refusal.code());
                refusal.into_response()
            }
            Self::Guard(refused) => {
                record.refused(refused.code());
                refused.into_response()
            }
        }
    }
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        Self::Gateway(refusal)
    }
}

impl From<Refused> for No {
    fn from(refused: Refused) -> Self {
        Self::Guard(refused)
    }
}

/// The session behind a request and its caller, where the route asks for them. The request of a session then carries its token.
pub(crate) async fn admit(
    site: &Site,
    route: &Route,
    (head, socket): (&mut Parts, bool),
) -> Result<(Option<Session>, Option<Auth>), No> {
    let (Some(bff), Some(mapped)) = (&site.bff, &route.session) else {
        return Ok((None, route.admit(head).await?));
    };
    // What few requests need stands apart in memory: every request has to carry the place for it otherwise.
    Box::pin(admit_session(bff, mapped, (route, head, socket))).await
}

async fn admit_session(
    bff: &Bff,
    mapped: &Mapped,
    (route, head, socket): (&Route, &mut Parts, bool),
) -> Result<(Option<Session>, Option<Auth>), No> {
    let session = bff.admit(head, mapped, socket).await?;
    match route.admit(head).await {
        // Taken back, or of a key that is gone: the issuer may give another.
        Err(Refused::TokenInvalid | Refused::TokenExpired) => {
            let session = bff.again(&mut head.headers, session).await?;
            Ok((Some(session), route.admit(head).await?))
        }
        admitted => Ok((Some(session), admitted?)),
    }
}

/// Asks the service. It may know sooner than we that the token of a session is worth nothing any more: a request without a body is sent once more
/// then, with the next one.
pub(crate) async fn ask(
    site: &Site,
    (route, upstream): (&Route, &Upstream),
    session: Option<Session>,
    request: Request<Body>,
) -> Result<(Response<Incoming>, Load), Refusal> {
    let repeatable = request.body().is_end_stream() && route.token == Token::Forward;
    match session.zip(site.bff.as_ref()).filter(|_| repeatable) {
        Some((session, bff)) => Box::pin(ask_twice(upstream, (bff, session), request)).await,
        None => upstream.ask(request).await,
    }
}

async fn ask_twice(
    upstream: &Upstream,
    (bff, session): (&Bff, Session),
    request: Request<Body>,
) -> Result<(Response<Incoming>, Load), Refusal> {
    let (mut head, body) = request.into_parts();
    let first = upstream.ask(Request::from_parts(head.clone(), body)).await?;
    if is_refused_token(&first.0) && bff.again(&mut head.headers, session).await.is_ok() {
        return upstream.ask(Request::from_parts(head, Body::empty())).await;
    }
    Ok(first)
}

/// RFC 6750 §3.1.
fn is_refused_token(response: &Response<Incoming>) -> bool {
    let challenges = response.headers().get_all(WWW_AUTHENTICATE);
    let mut challenges = challenges.iter().filter_map(|value| value.to_str().ok());
    response.status() == StatusCode::UNAUTHORIZED && challenges.any(|text| text.contains("invalid_token"))
}

/// Writes it into the headers of a request from which everything of that kind was taken out.
///
/// # Errors
/// 403 when a claim does not fit into its header, or the authorization server gives no token for the service; 503 when it does not answer.
pub(crate) async fn tell(
    site: &Site,
    (route, upstream): (&Route, Option<&Upstream>),
    caller: Option<&Auth>,
    headers: &mut HeaderMap,
) -> Result<(), Refusal> {
    let sent = headers.get(AUTHORIZATION).cloned();
    if route.token == Token::Strip {
        headers.remove(AUTHORIZATION);
        headers.remove(carnet_oauth::dpop::HEADER);
    }
    let (Some(auth), Some(sent)) = (caller, sent) else {
        return Ok(());
    };
    identity::write(headers, auth, &site.identity)?;
    let audience = upstream.and_then(|upstream| upstream.assertion_audience.as_ref());
    if let (Some(assertions), Some(audience)) = (&site.assertions, audience) {
        let assertion = assertions.header(auth, &sent, audience).ok_or(UNSIGNED)?;
        headers.insert(assertion::HEADER, assertion);
    }
    if let (Some(exchange), Some(wanted)) = (&site.exchange, &route.exchange) {
        let token = sent.to_str().unwrap_or_default();
        let token = token.split_once(' ').map_or("", |(_, token)| token.trim());
        let token = Box::pin(exchange.token(token, wanted))
            .await
            .map_err(|error| refused(&error))?;
        let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| UNSIGNED)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(())
}

fn refused(error: &ClientError) -> Refusal {
    tracing::warn!(%error, "a token was not exchanged");
    match error {
        ClientError::Refused(..) => REFUSED,
        _ => UNAVAILABLE.with(RETRY_AFTER, HeaderValue::from_static("5")),
    }
}

const REFUSED: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "exchange_refused",
    "the authorization server gives no token for the service for this one",
);
const UNAVAILABLE: Refusal = Refusal::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "exchange_unavailable",
    "the authorization server does not answer; come back after the time in Retry-After",
);
const UNSIGNED: Refusal = Refusal::new(
    StatusCode::INTERNAL_SERVER_ERROR,
    "server_error",
    "something is wrong here; it is in the log",
);
