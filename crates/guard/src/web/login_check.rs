//! What the ID token of a login must be.
//!
//! Spec: OpenID Connect Core §3.1.3.7

use std::sync::Arc;
use std::time::Duration;

use carnet_client::clock::Clock;
use carnet_client::http::HttpClient;
use carnet_client::jwks::{Location, RemoteKeys};
use carnet_jose::{Algorithm, Error, KeySource, TokenType, Verifier, dangerous};
use carnet_oauth::id_token::IdTokenClaims;

use crate::resource_server::BuildError;

/// Whose ID tokens are believed, and for whom they must be.
pub(super) struct LoginCheck {
    keys: Arc<RemoteKeys>,
    verifier: Verifier,
}

impl LoginCheck {
    pub(super) fn new(
        http: HttpClient,
        clock: Arc<dyn Clock>,
        (issuer, client_id): (&str, &str),
        leeway: Duration,
    ) -> Result<Self, BuildError> {
        let every: Vec<Algorithm> = Algorithm::ALL
            .iter()
            .copied()
            .filter(|one| !one.is_mac())
            .collect();
        let location = Location::Discover(issuer.to_owned());
        let keys = Arc::new(RemoteKeys::with_clock(http, location, &every, clock));
        let verifier = Verifier::builder(keys.clone() as Arc<dyn KeySource>)
            .algorithms(&every)
            .token_type(TokenType::IdToken)
            .issuer(issuer)
            .audience(client_id)
            .leeway(leeway)
            .build()
            .map_err(|error| BuildError::Policy(error.to_string()))?;
        Ok(Self { keys, verifier })
    }

    /// What it says, when the issuer has signed it for this client and it has not expired.
    pub(super) async fn claims(&self, id_token: &str, now: u64) -> Result<IdTokenClaims, Error> {
        self.keys.prepare().await;
        let verify = || self.verifier.verify_owned::<IdTokenClaims>(id_token, now);
        let verified = match verify() {
            // Perhaps the issuer has just begun to sign with it.
            Err(Error::UnknownKeyId) => {
                let token = dangerous::decode(id_token)?;
                if let Some(kid) = token.header.get("kid").and_then(|kid| kid.as_str()) {
                    self.keys.refresh_for(kid).await;
                }
                verify()?
            }
            verified => verified?,
        };
        Ok(verified.claims)
    }
}
