//! Checking the token of a service: whose it is by the bundle alone, what it says, and where it lets its service in.
//!
//! Spec: RFC 7519 §4.1 · RFC 8725 §3.8, §3.9, §3.11 · RFC 6750 §3.1 · JWT-SVID §5.2 (in the header)

use std::sync::Arc;
use std::time::Duration;

use carnet_client::bundle::Service;
use carnet_client::revocations::Revocations;
use carnet_jose::{Accepted, Error, dangerous};
use carnet_oauth::service_token::{self, ServiceTokenClaims};
use http::HeaderMap;
use http::request::Parts;
use serde_json::Value;
use tokio::time::timeout;

use crate::caller::{Caller, Shown};
use crate::calling_services::OpenServices;
use crate::challenge::{Denial, Refused};
use crate::check::token_of;
use crate::resource_server::Guard;
use crate::typed::is_typed;

impl Guard {
    /// Whether a request carries the token of a service, or the JWT-SVID of a workload whose trust domain is named, or, behind a gateway, the gateway's
    /// word on a service, by its own word: [`Guard::check_caller`] says whether it does. Anything else is for [`Guard::check`].
    pub fn is_from_service(&self, request: &Parts) -> bool {
        let gateway = self.parts.gateway.as_ref();
        if gateway.is_some_and(|gateway| gateway.speaks_of_service(request)) {
            return true;
        }
        let Some(token) = token_of(request)
            .ok()
            .and_then(|sent| dangerous::decode(sent.token).ok())
        else {
            return false;
        };
        let spiffe = self.parts.spiffe.as_ref();
        is_typed(&token, service_token::TYPE)
            || spiffe.is_some_and(|spiffe| spiffe.domain_of(&token).is_some())
    }

    /// The service behind a request, by its `Authorization` header alone, when it is one of `names`: the row of the matrix that a route is. Of a guard
    /// that [`FromGateway`](crate::FromGateway) has made: by what the gateway says, and by the service's own token where it says nothing and
    /// services are believed too.
    ///
    /// # Errors
    ///
    /// [`Refused::InsufficientScope`] for a service that is not; else as [`Guard::check`].
    pub async fn check_caller(&self, request: &Parts, names: &[String]) -> Result<Caller, Refused> {
        let found = match self.service_of(request).await {
            Ok((caller, _)) if !names.iter().any(|name| name == caller.name()) => {
                Err(Refused::InsufficientScope(None).because("caller_not_for_this_route"))
            }
            // A JWT-SVID comes many times: its workload's agent hands no other out for a while.
            Ok((caller, None)) => Ok(caller),
            // Spent last: a request that is refused for another reason costs nobody a token.
            Ok((caller, Some(services))) => {
                services.spend(request, caller, self.parts.clock.since_epoch().as_secs())
            }
            Err(denial) => Err(denial),
        };
        found.map_err(|denial: Denial| denial.noted(&request.headers))
    }

    /// With whoever counts its tokens.
    async fn service_of(&self, request: &Parts) -> Result<(Caller, Option<&OpenServices>), Denial> {
        if let Some(gateway) = &self.parts.gateway
            && (self.parts.services.is_none() || gateway.speaks_of_service(request))
        {
            let now = self.parts.clock.since_epoch().as_secs();
            return Ok((gateway.service_of(request, now).await?, None));
        }
        let sent = token_of(request)?;
        let deny = |reason| Refused::TokenInvalid.because(reason);
        if sent.is_with_proof() {
            return Err(deny("token_not_bound_to_a_key"));
        }
        let decoded = dangerous::decode(sent.token)?;
        let spiffe = self.parts.spiffe.as_ref();
        if let Some(domain) = spiffe.and_then(|spiffe| spiffe.domain_of(&decoded)) {
            let now = self.parts.clock.since_epoch().as_secs();
            return Ok((domain.caller_of(sent.token, now).await?, None));
        }
        let services = self.parts.services.as_deref();
        let services = services.ok_or_else(|| deny("services_not_configured"))?;
        let iss = decoded.payload.get("iss").and_then(Value::as_str);
        let service = services.signer(iss.unwrap_or_default()).await?;
        let now = self.parts.clock.since_epoch().as_secs();
        let verified = service.verify(sent.token, now)?;
        if let Some(flaw) = verified.claims.flaw() {
            return Err(deny(flaw));
        }
        services.goes_with(request, &verified.claims)?;
        services.permits(&service, &verified)?;
        let caller = caller(&service, &verified.claims).has_shown(sent.token, now);
        Ok((caller, Some(services)))
    }

    /// Waits until a new request with the token of this service would be refused, that it expires left aside, and says how: the service is
    /// disabled or may call us no longer, its key is taken out, the token is revoked, or nobody can tell any more. For streams, which go on for
    /// as long as nobody ends them. It has no end for workloads, since no trust domain takes a JWT-SVID back, nor behind a gateway.
    ///
    /// That the token expires is not looked at: see [`Caller::expires`].
    pub fn until_refused(&self, caller: &Caller) -> impl Future<Output = Refused> + Send + 'static + use<> {
        let asked = self.parts.services.clone();
        let asked = asked.zip(caller.shown().cloned());
        let id = caller.id().to_owned();
        async move {
            match asked {
                Some((services, shown)) => services.until_refused(&id, &shown).await,
                None => std::future::pending().await,
            }
        }
    }
}

impl OpenServices {
    /// The service that names itself so, as far as is told by now.
    async fn signer(&self, iss: &str) -> Result<Arc<Service>, Denial> {
        // Before anything is looked at: what is told meanwhile is for the next request.
        let told = self.told();
        self.remote.prepare(told).await;
        let service = self.remote.find(iss, told)?;
        service.ok_or_else(|| Refused::TokenInvalid.because(Error::IssuerMismatch.code()))
    }

    /// Whether the token was not taken back, and its service may call us.
    fn permits(&self, service: &Service, verified: &Accepted<ServiceTokenClaims>) -> Result<(), Denial> {
        self.look_up(service, verified)?;
        match self.lets_in(service) {
            true => Ok(()),
            false => Err(Refused::InsufficientScope(None).because("caller_not_listed")),
        }
    }

    async fn until_refused(&self, iss: &str, shown: &Shown) -> Refused {
        let mut changes = self.revocations.as_ref().map(Revocations::changes);
        // Looked at by the keys of each bundle once.
        let mut known: Option<(Arc<Service>, Arc<Accepted<ServiceTokenClaims>>)> = None;
        loop {
            let again = async {
                let service = self.signer(iss).await?;
                let same = known.take().filter(|(before, _)| Arc::ptr_eq(before, &service));
                let verified = match same {
                    Some((_, verified)) => verified,
                    // As on the day that it came: how long it is good is for others to say.
                    None => service.verify(&shown.token, shown.at)?,
                };
                self.permits(&service, &verified)?;
                Ok((service, verified))
            };
            match again.await {
                Ok(found) => known = Some(found),
                // It comes with no request.
                Err(denial) => return Denial::noted(denial, &HeaderMap::new()),
            }
            let next = async {
                match &mut changes {
                    Some(changes) => changes.next().await,
                    None => std::future::pending().await,
                }
            };
            // A bundle of which nobody tells is looked at by whoever uses it.
            let _ = timeout(LOOK_EVERY, next).await;
        }
    }
}

fn caller(service: &Service, claims: &ServiceTokenClaims) -> Caller {
    Caller::new(service.name.clone(), &claims.iss, (&claims.jti, Some(claims.exp)))
}

/// How soon a stream looks at the bundle once more, when nobody tells of it.
const LOOK_EVERY: Duration = Duration::from_secs(10);
