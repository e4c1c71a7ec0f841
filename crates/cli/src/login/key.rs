//! The key that a login's tokens are bound to: made once, and kept beside them.
//!
//! Spec: RFC 9449 §5 (public clients)

use std::sync::Arc;

use carnet_client::dpop::DpopKey;
use carnet_client::error::ClientError;
use carnet_client::token::Client;
use carnet_jose::{Algorithm, AnySigningKey, Error};
use carnet_oauth::token_response::TokenResponse;

use super::server::failure;
use crate::failure::Failure;

/// A key, and as what it is kept.
#[derive(Clone)]
pub(crate) struct LoginKey {
    /// A private JWK.
    pub(crate) kept: String,
    pub(crate) dpop: Arc<DpopKey>,
}

impl LoginKey {
    pub(crate) fn generate() -> Result<Self, Failure> {
        let key = AnySigningKey::generate(Algorithm::Es256).map_err(broken)?;
        let kept = key.to_jwk_private().map_err(broken)?.to_string();
        let dpop = DpopKey::new(key).map_err(failure)?;
        Ok(Self {
            kept,
            dpop: Arc::new(dpop),
        })
    }

    /// `None` when it is no key.
    pub(crate) fn read(kept: &str) -> Option<Self> {
        let dpop = DpopKey::new(AnySigningKey::from_jwk(kept).ok()?).ok()?;
        Some(Self {
            kept: kept.to_owned(),
            dpop: Arc::new(dpop),
        })
    }
}

/// Who logs in: a client, and its key when it has one.
pub(crate) struct Applicant {
    pub(crate) client: Client,
    pub(crate) key: Option<LoginKey>,
}

impl Applicant {
    pub(crate) fn new(client: Client, key: Option<LoginKey>) -> Self {
        let client = match &key {
            Some(key) => client.with_key(key.dpop.clone()),
            None => client,
        };
        Self { client, key }
    }

    /// Asks for tokens. A server that wants a proof, and has had none, is asked once more with a key that is made for it.
    pub(crate) async fn tokens(
        &mut self,
        ask: impl AsyncFn(&Client) -> Result<TokenResponse, ClientError>,
    ) -> Result<TokenResponse, Failure> {
        let first = ask(&self.client).await;
        if self.key.is_some() || !first.as_ref().is_err_and(wants_proof) {
            return first.map_err(failure);
        }
        *self = Self::new(self.client.clone(), Some(LoginKey::generate()?));
        ask(&self.client).await.map_err(failure)
    }
}

/// Refuses what no request has, and no server gives: a proof of it would be one of nothing.
pub(crate) fn sound((method, url): (&str, &str), nonce: Option<&str>) -> Result<(), Failure> {
    let refuse = |what, why, todo| Err(Failure::usage("proof_impossible", what).because(why).todo(todo));
    if http::Method::from_bytes(method.as_bytes()).is_err() {
        let why = "a method is one word, without spaces and separators (RFC 9110 §9.1)";
        return refuse("this is no method of HTTP", why, "write GET, POST or another");
    }
    let named = url::Url::parse(url).is_ok_and(|url| !url.username().is_empty() || url.password().is_some());
    if named {
        let why =
            "no request has it in its URL, and a password would be in every log on the way (RFC 9110 §4.2.4)";
        return refuse(
            "the URL has a user name or password in it",
            why,
            "take out what stands before the @",
        );
    }
    // RFC 9449 §8.1: 1*NQCHAR.
    let quotable = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    if nonce.is_some_and(|nonce| nonce.is_empty() || !nonce.bytes().all(quotable)) {
        let why = "a nonce is visible ASCII without quotes and backslashes, and at least one character (RFC 9449 §8.1)";
        return refuse(
            "this is no nonce",
            why,
            "write the value of DPoP-Nonce as the server sent it, or leave --nonce out",
        );
    }
    Ok(())
}

/// RFC 9449 §5, §8.
pub(crate) fn wants_proof(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused(code, _) if code == "invalid_dpop_proof" || code == "use_dpop_nonce")
}

fn broken(error: Error) -> Failure {
    Failure::broken(error.to_string())
}
