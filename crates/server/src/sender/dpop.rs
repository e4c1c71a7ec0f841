//! DPoP: the key that a request proves. A proof counts once, on all nodes together.
//!
//! Spec: RFC 9449 §4.3, §5, §5.2 (clients that must), §7.1 (resources), §8, §9 (nonces), §11.1 (replay)

use carnet_oauth::bearer::Challenge;
use carnet_oauth::dpop::{self, Proof, ProofError, Request, WINDOW_SECONDS};
use carnet_oauth::error_code::ErrorCode;
use carnet_store::TicketKind;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::nonce::{self, Place};
use crate::app::App;
use crate::client::Client;
use crate::config::DpopPolicy;
use crate::http::failure::{Because as _, Failure, Refusal};

/// The algorithms that discovery names.
pub(crate) fn algorithms() -> Vec<String> {
    dpop::algorithm_names().into_iter().map(str::to_owned).collect()
}

/// The key that a token request proves, by its thumbprint: what its access token will be bound to.
pub(crate) async fn key_at_token_endpoint(
    app: &App,
    headers: &HeaderMap,
    (client, uri): (&Client, &str),
) -> Result<Option<String>, Failure> {
    let key = key_if_proven(app, headers, uri).await?;
    // §5.2: the client is registered to have no other tokens.
    if key.is_none() && client.dpop == DpopPolicy::Required {
        const REASON: &str = "the client is registered with dpop = required: send a DPoP proof";
        return Err(ErrorCode::InvalidDpopProof.because(REASON).into());
    }
    Ok(key)
}

/// The key that a client's own POST proves, when it has a proof.
pub(crate) async fn key_if_proven(
    app: &App,
    headers: &HeaderMap,
    uri: &str,
) -> Result<Option<String>, Failure> {
    let request = Request {
        method: "POST",
        uri,
        access_token: None,
    };
    match look(app, headers, (Place::TokenEndpoint, &request), None).await? {
        Ok(proof) => Ok(proof.map(|proof| proof.thumbprint)),
        Err(Objection { code, reason }) => {
            let refusal = code.because(reason);
            Err(with_nonce(app, Place::TokenEndpoint, code, refusal)?.into())
        }
    }
}

/// Whether a request proves the key, named by its thumbprint, that its token is bound to. A proof that counts for nothing is refused as such;
/// one of another key is a `false`.
pub(crate) async fn proves_key_at_resource(
    app: &App,
    headers: &HeaderMap,
    (request, bound_to): (&Request<'_>, &str),
) -> Result<bool, Failure> {
    let missing = Objection {
        code: ErrorCode::InvalidDpopProof,
        reason: "a token that is bound to a key needs a DPoP proof of that key",
    };
    let found = look(app, headers, (Place::Resource, request), Some(bound_to)).await?;
    match found.and_then(|proof| proof.ok_or(missing)) {
        Ok(proof) => Ok(proof.thumbprint == bound_to),
        Err(Objection { code, reason }) => {
            let refusal = Refusal::new(StatusCode::UNAUTHORIZED, code.name(), reason)
                .header(header::WWW_AUTHENTICATE, challenge(Some((code.name(), reason))));
            Err(with_nonce(app, Place::Resource, code, refusal)?.into())
        }
    }
}

/// §7.1: how a caller is asked for a proof, and what was wrong with the last one.
pub(crate) fn challenge(error: Option<(&str, &str)>) -> HeaderValue {
    let challenge = Challenge::by(dpop::SCHEME);
    let challenge = match error {
        Some((code, reason)) => challenge.error(code, reason),
        None => challenge,
    };
    let challenge = challenge.parameter("algs", &dpop::algorithm_names().join(" "));
    HeaderValue::from_str(&challenge.to_string()).unwrap_or(HeaderValue::from_static(dpop::SCHEME))
}

/// Why there is no proof that counts.
struct Objection {
    code: ErrorCode,
    reason: &'static str,
}

impl From<ProofError> for Objection {
    fn from(error: ProofError) -> Self {
        tracing::info!(code = error.code(), "a DPoP proof was refused");
        Self {
            code: ErrorCode::InvalidDpopProof,
            reason: error.reason(),
        }
    }
}

/// The proof of a request, when it has one. The outer error is ours. Where it must be of one key, that of another is not remembered: whoever has
/// a copy of a token and keys of his own writes no rows.
async fn look(
    app: &App,
    headers: &HeaderMap,
    (place, request): (Place, &Request<'_>),
    bound_to: Option<&str>,
) -> Result<Result<Option<Proof>, Objection>, Failure> {
    let values = headers.get_all(dpop::HEADER);
    let checked = dpop::single(values.iter().map(HeaderValue::as_bytes)).and_then(|text| {
        text.map(|text| dpop::check(text, request, app.now_seconds()))
            .transpose()
    });
    let proof = match checked {
        Ok(Some(proof)) => proof,
        Ok(None) => return Ok(Ok(None)),
        Err(error) => return Ok(Err(error.into())),
    };
    // §8: one that we did not give, or gave too long ago, is answered by a new one.
    let objection = match &proof.nonce {
        Some(nonce) if nonce::counts(app, place, nonce) => None,
        Some(_) => Some("the nonce of the DPoP proof is old or not ours: use that of DPoP-Nonce"),
        None if app.config.dpop.require_nonce => Some("the DPoP proof needs the nonce of DPoP-Nonce"),
        None => None,
    };
    if let Some(reason) = objection {
        let code = ErrorCode::UseDpopNonce;
        return Ok(Err(Objection { code, reason }));
    }
    if bound_to.is_some_and(|key| key != proof.thumbprint) || Box::pin(is_new(app, &proof)).await? {
        return Ok(Ok(Some(proof)));
    }
    Ok(Err(Objection {
        code: ErrorCode::InvalidDpopProof,
        reason: "the DPoP proof was used before",
    }))
}

/// §11.1: a `jti` counts once for each key, for as long as its proof could come back: to another node with another clock as well.
async fn is_new(app: &App, proof: &Proof) -> Result<bool, Failure> {
    let name = format!("{}\0{}", proof.thumbprint, proof.jti);
    let until = i64::try_from(proof.iat.saturating_add(WINDOW_SECONDS + 1)).unwrap_or(i64::MAX);
    let until = until
        .saturating_mul(1000)
        .saturating_add(app.config.keys.clock_skew.millis());
    Ok(app
        .store
        .keep_ticket(TicketKind::DpopProof, &name, "", until)
        .await?)
}

fn with_nonce(app: &App, place: Place, code: ErrorCode, refusal: Refusal) -> Result<Refusal, Failure> {
    if code != ErrorCode::UseDpopNonce {
        return Ok(refusal);
    }
    let (name, value) = nonce::fresh(app, place)?;
    Ok(refusal.header(name, value))
}
