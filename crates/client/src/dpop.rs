//! DPoP, the client's side: a key, the proofs that it makes, and the nonces that servers want in them.
//!
//! Spec: RFC 9449 §4, §5, §7.1, §8, §9

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use carnet_jose::AnySigningKey;
use carnet_oauth::dpop::{HEADER, NONCE_HEADER, Prover, Request, SCHEME};
use carnet_oauth::error_code::ErrorCode;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::Value;

use crate::clock::{Clock, SystemClock};
use crate::error::ClientError;
use crate::http::Answer;

/// A request on its way. It can be waited for by a task of its own.
pub(crate) type Sending<'s> = Pin<Box<dyn Future<Output = Result<Answer, ClientError>> + Send + 's>>;

/// A client's key, and what servers have said about proofs of it.
///
/// ```
/// use carnet_client::dpop::DpopKey;
/// use carnet_jose::{Algorithm, AnySigningKey};
///
/// let key = DpopKey::new(AnySigningKey::generate(Algorithm::Es256)?)?;
/// assert_eq!(key.thumbprint().len(), 43);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct DpopKey {
    prover: Prover,
    clock: Box<dyn Clock>,
    /// The newest of each address (§8.2).
    nonces: Mutex<HashMap<(String, bool), String>>,
}

impl DpopKey {
    /// Makes proofs with this key.
    ///
    /// # Errors
    ///
    /// [`ClientError::Invalid`] for a key whose algorithm proofs are not made with.
    pub fn new(key: AnySigningKey) -> Result<Self, ClientError> {
        Self::with_clock(key, SystemClock)
    }

    /// With a clock that tests hold still.
    pub fn with_clock(key: AnySigningKey, clock: impl Clock + 'static) -> Result<Self, ClientError> {
        Ok(Self {
            prover: Prover::new(key).map_err(|error| ClientError::Invalid(error.to_string()))?,
            clock: Box::new(clock),
            nonces: Mutex::default(),
        })
    }

    /// The RFC 7638 thumbprint of the key: the `jkt` of tokens that are bound to it, and `dpop_jkt` (§10).
    pub fn thumbprint(&self) -> &str {
        self.prover.thumbprint()
    }

    /// The two headers of a request to a resource (§7.1), with this nonce when its server has given one.
    pub fn headers(&self, request: &Request<'_>, nonce: Option<&str>) -> Result<HeaderMap, ClientError> {
        let invalid = |_| ClientError::Invalid("the access token cannot stand in a header".to_owned());
        let now = self.clock.since_epoch().as_secs();
        let proof = self.prover.prove(request, nonce, now);
        let proof = proof.map_err(|error| ClientError::Invalid(error.to_string()))?;
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_str(&proof).map_err(invalid)?);
        if let Some(token) = request.access_token {
            let mut value = HeaderValue::from_str(&format!("{SCHEME} {token}")).map_err(invalid)?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        Ok(headers)
    }

    /// Sends a request with a proof; once more when the server wants another nonce in it (§8, §9).
    pub(crate) async fn send<'s>(
        &self,
        request: &Request<'_>,
        send: impl Fn(HeaderMap) -> Sending<'s>,
    ) -> Result<Answer, ClientError> {
        let known = self.nonces().get(&giver_of(request)).cloned();
        let answer = send(self.headers(request, known.as_deref())?).await?;
        let given = self.learn(request, &answer);
        match given.filter(|given| wants_nonce(&answer) && known.as_ref() != Some(given)) {
            None => Ok(answer),
            Some(given) => {
                let answer = send(self.headers(request, Some(&given))?).await?;
                self.learn(request, &answer);
                Ok(answer)
            }
        }
    }

    /// The nonce that an answer brings, for the next request.
    fn learn(&self, request: &Request<'_>, answer: &Answer) -> Option<String> {
        let nonce = answer.headers.get(NONCE_HEADER)?.to_str().ok()?.to_owned();
        self.nonces().insert(giver_of(request), nonce.clone());
        Some(nonce)
    }

    fn nonces(&self) -> std::sync::MutexGuard<'_, HashMap<(String, bool), String>> {
        self.nonces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who gives the nonces of such a request: its server, as issuer (§8) or as one that holds resources (§9), whichever of them is asked for.
fn giver_of(request: &Request<'_>) -> (String, bool) {
    let origin = url::Url::parse(request.uri).map(|url| url.origin().ascii_serialization());
    let origin = origin.unwrap_or_else(|_| request.uri.to_owned());
    (origin, request.access_token.is_some())
}

/// §8: 400 with the error in the body. §9: 401 with the error in a challenge.
fn wants_nonce(answer: &Answer) -> bool {
    let wanted = ErrorCode::UseDpopNonce.name();
    match answer.status {
        StatusCode::BAD_REQUEST => {
            let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
            body.is_some_and(|body| body.get("error").and_then(Value::as_str) == Some(wanted))
        }
        StatusCode::UNAUTHORIZED => {
            let challenges = answer.headers.get_all(header::WWW_AUTHENTICATE).iter();
            let quoted = format!("\"{wanted}\"");
            challenges
                .filter_map(|challenge| challenge.to_str().ok())
                .any(|challenge| challenge.contains(&quoted))
        }
        _ => false,
    }
}

impl std::fmt::Debug for DpopKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DpopKey")
            .field("thumbprint", &self.thumbprint())
            .finish_non_exhaustive()
    }
}
