//! Access tokens as our own resources take them: by themselves, or bound to a key and with the proof of it.
//!
//! Spec: RFC 9449 §7.1 (the scheme DPoP), §7.2 (a bound token is no bearer token), §7.3 · RFC 6750 §2.1

use carnet_oauth::dpop::{Request, SCHEME};
use http::{HeaderMap, StatusCode, header};

use super::bearer::{self, Presented, Rejected};
use crate::app::App;
use crate::http::failure::{Failure, Refusal};
use crate::sender;

/// The caller of one of our resources, which has this URL; refused with a challenge for each scheme that could be used.
pub async fn authenticate(
    app: &App,
    headers: &HeaderMap,
    (method, uri): (&str, &str),
) -> Result<Presented, Failure> {
    let Some(token) = bearer::token_by(headers, SCHEME)? else {
        return bearer::authenticate(app, headers).await.map_err(also_by_proof);
    };
    let presented = bearer::check_bound(app, token)
        .await?
        .map_err(|rejected| match rejected {
            Rejected::Expired => invalid("token_expired"),
            Rejected::Revoked | Rejected::Invalid => invalid("token_invalid"),
        })?;
    let bound_to = presented.claims.cnf.as_ref().and_then(|cnf| cnf.thumbprint());
    // A bearer token does not become a bound one by being sent as one.
    let bound_to = bound_to.ok_or_else(|| invalid("token_invalid"))?;
    let request = Request {
        method,
        uri,
        access_token: Some(token),
    };
    if !sender::proves_key_at_resource(app, headers, (&request, bound_to)).await? {
        tracing::info!("a bound access token came with the proof of another key");
        return Err(invalid("token_invalid").into());
    }
    Ok(presented)
}

/// A caller without a good token may also send a bound one.
pub fn also_by_proof(failure: Failure) -> Failure {
    match failure {
        Failure::Refused(refusal) => refusal
            .header(header::WWW_AUTHENTICATE, sender::challenge(None))
            .into(),
        broken @ Failure::Broken(_) => broken,
    }
}

fn invalid(code: &'static str) -> Refusal {
    let reason = bearer::reason(code);
    let challenge = sender::challenge(Some(("invalid_token", reason)));
    Refusal::new(StatusCode::UNAUTHORIZED, code, reason).header(header::WWW_AUTHENTICATE, challenge)
}
