//! Whether a token was taken back: looked up in memory at every request, tokens that are remembered included.
//!
//! Spec: RFC 7009 §2.1 · RFC 6750 §3.1 (a revoked token is an invalid one)

use std::sync::Arc;

use carnet_client::bundle::Service;
use carnet_client::revocations::{Revocations, Status, Verdict};
use carnet_jose::{Accepted, dangerous};
use carnet_oauth::revocation::RevocableToken;
use carnet_oauth::service_token::ServiceTokenClaims;
use http::HeaderMap;
use serde_json::Value;

use crate::auth::{Auth, Known};
use crate::calling_services::OpenServices;
use crate::challenge::{Denial, Refused};
use crate::resource_server::{Guard, Trusted};
use crate::token::Token;

impl Trusted {
    /// Whether the token was taken back, as far as the feed says.
    pub(crate) fn look_up(&self, verified: &Accepted<Token>) -> Result<(), Denial> {
        let Some(revocations) = &self.revocations else {
            return Ok(());
        };
        held_against(revocations, &revocable(verified))
    }
}

impl Guard {
    /// How the feed of each issuer that has one is doing, for metrics; that of the services last, when it is one of its own.
    pub fn revocations(&self) -> impl Iterator<Item = (&str, Status)> {
        let trusted = self.parts.trusted.iter().filter_map(|trusted| {
            let revocations = trusted.revocations.as_ref()?;
            Some((trusted.name.as_str(), revocations.status()))
        });
        let services = self.parts.services.iter().filter_map(|services| {
            let revocations = services.own_revocations()?;
            Some((services.issuer.as_str(), revocations.status()))
        });
        trusted.chain(services)
    }

    /// Whether what this caller's issuer takes back is followed.
    pub fn follows(&self, auth: &Auth) -> bool {
        self.followed(auth).is_some()
    }

    /// Waits until the caller's token is taken back, or nobody can tell any more ([`OnLoss::Closed`](crate::OnLoss)), and says what a request
    /// with it would be answered. For streams, which go on for as long as nobody ends them. It has an end only for callers that
    /// [`Guard::follows`] says yes of.
    ///
    /// That the token expires is not looked at: see [`Auth::expires`].
    ///
    /// ```no_run
    /// # async fn example(guard: carnet_guard::Guard, auth: carnet_guard::Auth, stream: impl Future<Output = ()>) {
    /// tokio::select! {
    ///     () = stream => {}
    ///     refused = guard.until_taken_back(&auth) => println!("ended: {refused:?}"),
    /// }
    /// # }
    /// ```
    pub fn until_taken_back(&self, auth: &Auth) -> impl Future<Output = Refused> + Send + 'static + use<> {
        let followed = self.followed(auth);
        async move {
            let Some((revocations, verified)) = followed else {
                return std::future::pending().await;
            };
            match revocations.until_not_good(&revocable(&verified)).await {
                Verdict::Unavailable => Refused::Unavailable,
                Verdict::Revoked | Verdict::Good => Refused::TokenRevoked,
            }
        }
    }

    /// Whether a token was taken back that this program got from its issuer itself and keeps for somebody: nothing else of it is looked at, and
    /// whoever else has it must not be let in by that. Good when its issuer is not followed.
    ///
    /// # Errors
    /// What a request with it would be answered.
    pub fn is_not_taken_back(&self, kept: &str) -> Result<(), Refused> {
        let Ok(decoded) = dangerous::decode(kept) else {
            return Ok(());
        };
        let text = |name: &str| decoded.payload.get(name).and_then(Value::as_str);
        let mut trusted = self.parts.trusted.iter();
        let trusted = trusted.find(|trusted| Some(trusted.name.as_str()) == text("iss"));
        let Some(revocations) = trusted.and_then(|trusted| trusted.revocations.as_ref()) else {
            return Ok(());
        };
        let token = RevocableToken {
            jti: text("jti"),
            sid: text("sid"),
            fam: text("fam"),
            sub: text("sub"),
            client_id: text("client_id"),
            kid: decoded.header.get("kid").and_then(Value::as_str),
            iat: decoded.payload.get("iat").and_then(Value::as_u64),
        };
        // The token is kept by somebody, and comes with no request.
        held_against(revocations, &token).map_err(|denial: Denial| denial.noted(&HeaderMap::new()))
    }

    fn followed(&self, auth: &Auth) -> Option<(Revocations, Arc<Accepted<Token>>)> {
        let Known::Signed(verified) = auth.known() else {
            return None;
        };
        let mut trusted = self.parts.trusted.iter();
        let trusted = trusted.find(|trusted| trusted.name == auth.iss())?;
        Some((trusted.revocations.clone()?, verified.clone()))
    }
}

impl OpenServices {
    /// Whether the service's token was taken back: by its name, or the service with all that it had signed until then.
    pub(crate) fn look_up(
        &self,
        service: &Service,
        verified: &Accepted<ServiceTokenClaims>,
    ) -> Result<(), Denial> {
        let Some(revocations) = &self.revocations else {
            return Ok(());
        };
        let token = RevocableToken {
            jti: Some(&verified.claims.jti),
            client_id: Some(&service.name),
            iat: verified.times.iat,
            ..RevocableToken::default()
        };
        held_against(revocations, &token)
    }
}

fn held_against(revocations: &Revocations, token: &RevocableToken<'_>) -> Result<(), Denial> {
    match revocations.check(token) {
        Verdict::Good => Ok(()),
        Verdict::Revoked => Err(Refused::TokenRevoked.because("token_revoked")),
        // Nobody can tell: without an answer there is no yes.
        Verdict::Unavailable => Err(Refused::Unavailable.because("revocations_unavailable")),
    }
}

fn revocable(verified: &Accepted<Token>) -> RevocableToken<'_> {
    let claims = &verified.claims;
    RevocableToken {
        jti: claims.text("jti"),
        sid: claims.text("sid"),
        fam: claims.text("fam"),
        sub: claims.text("sub"),
        client_id: claims.text("client_id"),
        kid: verified.key_id.as_deref(),
        iat: verified.times.iat,
    }
}
