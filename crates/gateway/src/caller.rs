//! What a service is told of the caller: headers, a signed assertion, and the caller's token, another one, or none.
//!
//! Spec: RFC 8693 §2 · RFC 9449 §7 (a proof is for us, not for the service)

use std::net::IpAddr;

use axum::body::Body;
use axum::response::IntoResponse as _;
use carnet_client::error::ClientError;
use carnet_guard::{ClientCertificate, Refused};
use carnet_listen::{PeerAddr, PeerCertificate};
use http::header::{AUTHORIZATION, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use hyper::body::{Body as _, Incoming};

use crate::assertion;
use crate::balance::Load;
use crate::bff::{Bff, Mapped, NOBODY, Sent, Session};
use crate::certificates::Told;
use crate::config::Token;
use crate::identity;
use crate::limit::Standing;
use crate::record::Record;
use crate::refusal::{Refusal, broken};
use crate::site::{Admitted, Route, Site};
use crate::trace;
use crate::upstream::{OVER, Upstream};

/// What the answer to a request says besides, whether it is the service's or a refusal.
#[derive(Default)]
pub(crate) struct Beside {
    /// What the browser keeps of its session: nobody else may know of its newest tokens.
    cookies: Vec<HeaderValue>,
    /// How the caller stands with the limit of the route.
    pub(crate) standing: Option<Standing>,
}

impl Beside {
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        headers.extend(self.cookies.into_iter().map(|line| (SET_COOKIE, line)));
        if let Some(standing) = self.standing {
            standing.write(headers);
        }
    }
}

/// Why a request is not forwarded.
#[derive(Debug)]
pub(crate) enum No {
    /// The gateway says so.
    Gateway(Refusal),
    /// The guard says so, and this is how.
    Guard(Refused, Box<Response<Body>>),
}

impl No {
    /// The answer, and what the log says of it.
    pub(crate) fn answer(self, record: &mut Record) -> Response<Body> {
        match self {
            Self::Gateway(refusal) => {
                record.refused(refusal.code());
                refusal.into_response()
            }
            Self::Guard(refused, response) => {
                record.refused(refused.code());
                *response
            }
        }
    }

    /// Whether nobody has shown anything.
    pub(crate) fn is_nobody(&self) -> bool {
        match self {
            Self::Gateway(refusal) => *refusal == NOBODY,
            Self::Guard(refused, _) => *refused == Refused::TokenMissing,
        }
    }

    /// Whether somebody has shown a token that is none: one that has expired or was taken back was good once.
    pub(crate) const fn is_guess(&self) -> bool {
        matches!(
            self,
            Self::Guard(Refused::TokenInvalid | Refused::ProofInvalid, _)
        )
    }
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        Self::Gateway(refusal)
    }
}

/// What stands beside the head of a request.
pub(crate) struct Shown<'r> {
    /// What a proxy has told of the client's certificate.
    pub(crate) certificate: Option<Told>,
    /// Who is at the other end of the connection.
    pub(crate) peer: PeerAddr,
    /// Who is behind the proxies that are believed.
    pub(crate) client: Option<IpAddr>,
    /// Host and port that the client has asked for.
    pub(crate) authority: &'r str,
}

/// As [`admit`], of a request from which everything was taken out that proxies say. Whoever shows token after token that is none is told to stop.
pub(crate) async fn let_in(
    (site, route): (&Site, &Route),
    (head, socket): (&mut Parts, bool),
    shown: Shown<'_>,
    beside: &mut Beside,
) -> Result<(Option<Session>, Admitted), No> {
    if let (Some(from), Some(told)) = (&site.certificates, shown.certificate) {
        from.show(told, shown.peer, head);
    }
    // The guard looks at it only where no proxy speaks for its clients.
    if let Some(certificate) = head.extensions.remove::<PeerCertificate>() {
        head.extensions
            .insert(ClientCertificate::from_der(&certificate.0));
    }
    let sent = Sent {
        socket,
        window: false,
        authority: shown.authority,
    };
    let admitted = admit((site, route), (head, sent), beside).await;
    if let Some(from) = &site.certificates {
        from.hide(head);
    }
    if let Err(no) = &admitted
        && no.is_guess()
        && route.session.is_none()
    {
        // Only now: of two callers with one address the one with a valid token does not suffer for the other.
        site.failures.count(None, shown.client)?;
    }
    admitted
}

/// The caller, and the session behind the request, where the route asks for them. The request of a session then carries its token.
pub(crate) async fn admit(
    (site, route): (&Site, &Route),
    (head, sent): (&mut Parts, Sent<'_>),
    beside: &mut Beside,
) -> Result<(Option<Session>, Admitted), No> {
    let denied = |refused: Refused| No::Guard(refused.clone(), Box::new(route.refusal(&refused)));
    let (Some(bff), Some(mapped)) = (&site.bff, &route.session) else {
        return Ok((None, route.admit(head).await.map_err(denied)?));
    };
    // What few requests need stands apart in memory: every request has to carry the place for it otherwise.
    Box::pin(admit_session((bff, mapped), route, (head, sent), beside)).await
}

async fn admit_session(
    (bff, mapped): (&Bff, &Mapped),
    route: &Route,
    (head, sent): (&mut Parts, Sent<'_>),
    beside: &mut Beside,
) -> Result<(Option<Session>, Admitted), No> {
    let denied = |refused: Refused| No::Guard(refused.clone(), Box::new(route.refusal(&refused)));
    let session = bff.admit(head, mapped, sent).await?;
    beside.cookies = bff.cookies(&session);
    match route.admit(head).await {
        // Taken back, or of a key that is gone: the issuer may give another.
        Err(Refused::TokenInvalid | Refused::TokenRevoked | Refused::TokenExpired)
            if !bff.is_new(&session) =>
        {
            // What comes of it has cookies of its own, or takes them away.
            beside.cookies.clear();
            let session = bff.again(&mut head.headers, session).await?;
            beside.cookies = bff.cookies(&session);
            Ok((Some(session), route.admit(head).await.map_err(denied)?))
        }
        admitted => Ok((Some(session), admitted.map_err(denied)?)),
    }
}

/// Asks the service. It may know sooner than we that the token of a session is worth nothing any more: a request without a body is sent once more
/// then, with the next one.
pub(crate) async fn ask(
    site: &Site,
    (route, upstream): (&Route, &Upstream),
    session: Option<Session>,
    (request, beside): (Request<Body>, &mut Beside),
) -> Result<(Response<Incoming>, Load), No> {
    let repeatable = request.body().is_end_stream() && route.token == Token::Forward;
    let answered = match session.zip(site.bff.as_ref()).filter(|_| repeatable) {
        Some((session, bff)) => Box::pin(ask_twice(upstream, (bff, session), (request, beside))).await,
        None => upstream.ask(request).await,
    };
    answered.map_err(|refusal| match refusal == OVER {
        // With the challenge that a 401 needs (RFC 9110 §15.5.2).
        true => No::Guard(
            Refused::TokenExpired,
            Box::new(route.refusal(&Refused::TokenExpired)),
        ),
        false => refusal.into(),
    })
}

async fn ask_twice(
    upstream: &Upstream,
    (bff, session): (&Bff, Session),
    (request, beside): (Request<Body>, &mut Beside),
) -> Result<(Response<Incoming>, Load), Refusal> {
    let (mut head, body) = request.into_parts();
    let first = upstream.ask(Request::from_parts(head.clone(), body)).await?;
    if is_refused_token(&first.0)
        && !bff.is_new(&session)
        && let Ok(session) = bff.again(&mut head.headers, session).await
    {
        beside.cookies = bff.cookies(&session);
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
    caller: &Admitted,
    headers: &mut HeaderMap,
) -> Result<(), Refusal> {
    let sent = headers.get(AUTHORIZATION).cloned();
    if route.token == Token::Strip {
        headers.remove(AUTHORIZATION);
        headers.remove(carnet_oauth::dpop::HEADER);
    }
    let audience = upstream.and_then(|upstream| upstream.assertion_audience.as_ref());
    let assertions = site.assertions.as_ref().zip(audience);
    if let Admitted::Service(service) = caller {
        let name = HeaderValue::from_str(service.name()).map_err(broken)?;
        headers.insert(CALLING_SERVICE, name);
        if let (Some((assertions, audience)), Some(sent)) = (assertions, &sent) {
            let assertion = assertions.service_header(service, sent, audience)?;
            headers.insert(assertion::HEADER, assertion);
        }
    }
    let (Some(auth), Some(sent)) = (caller.user(), sent) else {
        return Ok(());
    };
    identity::write(headers, auth, &site.identity)?;
    if let Some((assertions, audience)) = assertions {
        let assertion = assertions.header(auth, &sent, audience)?;
        headers.insert(assertion::HEADER, assertion);
    }
    if let (Some(exchange), Some(wanted)) = (&site.exchange, &route.exchange) {
        let token = sent.to_str().unwrap_or_default();
        let token = token.split_once(' ').map_or("", |(_, token)| token.trim());
        let token = Box::pin(exchange.token(token, wanted))
            .await
            .map_err(|error| refused(&error, headers))?;
        let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(broken)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(())
}

fn refused(error: &ClientError, headers: &HeaderMap) -> Refusal {
    tracing::warn!(%error, request_id = trace::named(headers), "a token was not exchanged");
    match error {
        ClientError::Refused(..) => REFUSED,
        _ => UNAVAILABLE.with(RETRY_AFTER, HeaderValue::from_static("5")),
    }
}

/// Which service calls, where one does in its own name.
pub(crate) const CALLING_SERVICE: HeaderName = HeaderName::from_static("x-calling-service");

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
