//! The ID token of a login, checked by the client that began it.
//!
//! Spec: OpenID Connect Core §3.1.3.7, §12.2

use std::sync::Arc;
use std::time::Duration;

use carnet_jose::{Algorithm, Error, KeySource, TokenType, Verifier, dangerous, primitive};
use carnet_oauth::id_token::IdTokenClaims;
use serde_json::Value;

use crate::clock::Clock;
use crate::error::ClientError;
use crate::http::HttpClient;
use crate::jwks::{Location, RemoteKeys};

/// What the ID token of a login must be: the issuer's, for this client, and of the login that was begun.
pub struct LoginCheck {
    keys: Arc<RemoteKeys>,
    verifier: Verifier,
    issuer: String,
    client_id: String,
}

impl LoginCheck {
    /// For logins of a client at an issuer, whose keys its metadata names. Nothing is asked yet.
    pub fn new(
        http: HttpClient,
        (issuer, client_id): (&str, &str),
        (leeway, clock): (Duration, Arc<dyn Clock>),
    ) -> Result<Self, ClientError> {
        let every = signatures();
        let location = Location::Discover(issuer.to_owned());
        let keys = Arc::new(RemoteKeys::with_clock(http, location, &every, clock));
        let verifier = Verifier::builder(keys.clone() as Arc<dyn KeySource>)
            .algorithms(&every)
            .token_type(TokenType::IdToken)
            .issuer(issuer)
            .audience(client_id)
            .leeway(leeway)
            .build()
            .map_err(|error| ClientError::Invalid(error.to_string()))?;
        Ok(Self {
            keys,
            verifier,
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
        })
    }

    /// What the token says at `now`, in seconds since 1970.
    ///
    /// # Errors
    /// What is wrong with it, for the log.
    pub async fn check(&self, id_token: &str, nonce: &str, now: u64) -> Result<IdTokenClaims, &'static str> {
        let claims = self.verified(id_token, now).await;
        let claims = claims.map_err(|error| error.code())?;
        let said = claims.nonce.as_deref().unwrap_or_default();
        if !primitive::verify_equal(said.as_bytes(), nonce.as_bytes()) {
            return Err(OTHER_NONCE);
        }
        Ok(claims)
    }

    /// What a token says that came with a refresh, of the login of this user that had this nonce, as far as it is known (§12.2: another one need not be there).
    ///
    /// # Errors
    /// Whether it is another login's, or nobody's, or cannot be believed now; and why, for the log.
    pub async fn check_again(
        &self,
        id_token: &str,
        (sub, nonce): (&str, Option<&str>),
        now: u64,
    ) -> Result<IdTokenClaims, Unfit> {
        let claims = self.verified(id_token, now).await;
        let claims = claims.map_err(|error| match self.contradiction(id_token, (sub, nonce)) {
            None if is_passing(error) => Unfit::Unbelievable(error.code()),
            None => Unfit::Foreign(error.code()),
            Some(why) => Unfit::Foreign(why),
        })?;
        if claims.sub != sub {
            return Err(Unfit::Foreign(OTHER_USER));
        }
        let is_other = |(said, known): (&String, &str)| said != known;
        if claims.nonce.as_ref().zip(nonce).is_some_and(is_other) {
            return Err(Unfit::Foreign(OTHER_NONCE));
        }
        Ok(claims)
    }

    /// What nobody can believe says nothing of the login, and may yet show that it is of another one.
    fn contradiction(&self, id_token: &str, (sub, nonce): (&str, Option<&str>)) -> Option<&'static str> {
        let Ok(decoded) = dangerous::decode(id_token) else {
            return Some("the ID token cannot be read");
        };
        let said = decoded.payload;
        let is_other = |name: &str, own: &str| said.get(name).is_some_and(|said| said != own);
        let is_for = |client: &Value| match client {
            Value::Array(several) => several.iter().any(|one| one == self.client_id.as_str()),
            one => one == self.client_id.as_str(),
        };
        if is_other("iss", &self.issuer) {
            Some(Error::IssuerMismatch.code())
        } else if said.get("aud").is_some_and(|client| !is_for(client)) {
            Some(Error::AudienceMismatch.code())
        } else if is_other("sub", sub) {
            Some(OTHER_USER)
        } else if nonce.is_some_and(|nonce| is_other("nonce", nonce)) {
            Some(OTHER_NONCE)
        } else {
            None
        }
    }

    async fn verified(&self, id_token: &str, now: u64) -> Result<IdTokenClaims, Error> {
        self.keys.prepare().await;
        let verify = || self.verifier.verify_owned::<IdTokenClaims>(id_token, now);
        let verified = match verify() {
            Err(Error::UnknownKeyId) => {
                self.keys.refresh_for_issuer(id_token).await;
                verify()
            }
            verified => verified,
        };
        verified.map(|verified| verified.claims)
    }

    /// Whether a token could be checked now: who asks before a code is spent does not lose it for want of keys.
    pub async fn is_ready(&self) -> bool {
        self.keys.prepare().await;
        self.keys.is_loaded()
    }

    /// The keys of the issuer, for its other tokens to this client.
    pub fn keys(&self) -> Arc<RemoteKeys> {
        self.keys.clone()
    }
}

/// Why the ID token of a refresh says nothing of the login. The text is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is another login's or another client's, or not the issuer's: its signature is wrong, or it is no ID token.
    Foreign(&'static str),
    /// It says that it is of this login, and cannot be believed now: its time is over or has not come, or the key for it cannot be had.
    Unbelievable(&'static str),
}

/// Whether the clock or the keys may be at fault, rather than the token.
const fn is_passing(error: Error) -> bool {
    matches!(
        error,
        Error::Expired
            | Error::NotYetValid
            | Error::KeysUnavailable
            | Error::UnknownKeyId
            | Error::KeyIdMissing
    )
}

const OTHER_USER: &str = "the ID token is about another user";
const OTHER_NONCE: &str = "the nonce of the ID token is another";

/// Every signature that an issuer may make.
pub fn signatures() -> Vec<Algorithm> {
    Algorithm::ALL
        .iter()
        .copied()
        .filter(|one| !one.is_mac())
        .collect()
}

impl std::fmt::Debug for LoginCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoginCheck")
    }
}
