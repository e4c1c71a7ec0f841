//! What a service is told of the caller: headers, a signed assertion, and the caller's token, another one, or none.
//!
//! Spec: RFC 8693 §2 · RFC 9449 §7 (a proof is for us, not for the service)

use carnet_client::error::ClientError;
use carnet_guard::Auth;
use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::assertion;
use crate::config::Token;
use crate::identity;
use crate::refusal::Refusal;
use crate::site::{Route, Site};
use crate::upstream::Upstream;

/// Writes it into the headers of a request from which everything of that kind was taken out.
///
/// # Errors
/// 403 when a claim does not fit into its header, or the authorization server gives no token for the service; 503 when it does not answer.
pub(crate) async fn tell(
    site: &Site,
    (route, upstream): (&Route, &Upstream),
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
    if let (Some(assertions), Some(audience)) = (&site.assertions, &upstream.assertion_audience) {
        let assertion = assertions.header(auth, &sent, audience).ok_or(UNSIGNED)?;
        headers.insert(assertion::HEADER, assertion);
    }
    if let (Some(exchange), Some(wanted)) = (&site.exchange, &route.exchange) {
        let token = sent.to_str().unwrap_or_default();
        let token = token.split_once(' ').map_or("", |(_, token)| token.trim());
        let token = exchange
            .token(token, wanted)
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
