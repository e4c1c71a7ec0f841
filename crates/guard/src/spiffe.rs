//! Workloads of SPIFFE trust domains that call this service: their JWT-SVIDs, checked with the bundles of the domains that are named.
//!
//! Spec: JWT-SVID §2, §3, §4 · SPIFFE Trust Domain and Bundle §3, §4 · RFC 8725 §3.8

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use carnet_client::clock::Clock;
use carnet_client::http::HttpClient;
use carnet_client::jwks::{Location, RemoteKeys};
use carnet_jose::dangerous::{self, Decoded};
use carnet_jose::{CachedVerifier, Error, KeySource, TokenType, Verifier};
use carnet_oauth::spiffe::{ALGORITHMS, SCHEME, SvidClaims, is_trust_domain, trust_domain_of};
use serde_json::Value;

use crate::caller::Caller;
use crate::challenge::{Denial, Refused};

/// Workloads that call with JWT-SVIDs, as SPIRE gives them out.
///
/// They get in where a route names them, [`Guard::caller_in`](crate::Guard::caller_in), by their SPIFFE IDs, and nowhere else: none is a
/// user. Only the trust domains that are named here count; a token of another one makes nobody ask.
///
/// ```no_run
/// use carnet_guard::{Caller, ResourceServer, Spiffe};
///
/// # async fn start() -> Result<(), carnet_guard::BuildError> {
/// let workloads = Spiffe::audience("spiffe://example.org/billing")
///     .bundle("example.org", "https://spire.example.org/bundle");
/// let guard = ResourceServer::new("https://billing.example.com").spiffe(workloads).build().await?;
/// let close = async |caller: Caller| format!("closed for {}", caller.name());
/// let orders = guard.caller_in(["spiffe://example.org/ns/prod/sa/orders"]);
/// let app: axum::Router = axum::Router::new().route("/close", axum::routing::post(close).layer(orders));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Spiffe {
    audience: String,
    domains: Vec<(String, Location)>,
}

impl Spiffe {
    /// Takes JWT-SVIDs that are for this audience and no other: the SPIFFE ID of this service, or whatever its callers ask their agent for.
    pub fn audience(audience: impl Into<String>) -> Self {
        Self {
            audience: audience.into(),
            domains: Vec::new(),
        }
    }

    /// Believes this trust domain, by the bundle at this https URL: the profile `https_web` of SPIRE's bundle endpoint. It is looked at again
    /// as often as it says itself (`spiffe_refresh_hint`), between five seconds and an hour, and used for a day more while it cannot be had.
    pub fn bundle(self, trust_domain: impl Into<String>, url: impl Into<String>) -> Self {
        self.domain(trust_domain.into(), Location::Bundle(url.into()))
    }

    /// Believes this trust domain, by a bundle that somebody keeps up to date in a file: `spire-server bundle show -format spiffe`, or what
    /// SPIFFE's helper writes. It is read again as a URL would be.
    pub fn bundle_file(self, trust_domain: impl Into<String>, file: impl Into<PathBuf>) -> Self {
        self.domain(trust_domain.into(), Location::BundleFile(file.into()))
    }

    fn domain(mut self, name: String, location: Location) -> Self {
        self.domains.push((name, location));
        self
    }

    /// `before` is what stood in its place: keys of the same place are kept.
    ///
    /// # Errors
    ///
    /// What is wrong with what was said.
    pub(crate) fn open(
        &self,
        (http, clock): (&HttpClient, Arc<dyn Clock>),
        leeway: Duration,
        before: Option<&OpenSpiffe>,
    ) -> Result<OpenSpiffe, String> {
        if self.domains.is_empty() {
            return Err("names no trust domain for SPIFFE IDs".to_owned());
        }
        let mut domains = HashMap::new();
        for (name, location) in &self.domains {
            if !is_trust_domain(name) {
                return Err(format!("{name:?} is no name of a trust domain"));
            }
            let known = before.and_then(|before| before.domains.get(name));
            let is_same = |known: &&TrustDomain| known.location == *location && known.keys.trusts_as(http);
            let keys = match known.filter(is_same) {
                Some(known) => known.keys.clone(),
                None => {
                    let location = location.clone();
                    Arc::new(RemoteKeys::with_clock(
                        http.clone(),
                        location,
                        ALGORITHMS,
                        clock.clone(),
                    ))
                }
            };
            let domain = TrustDomain {
                name: name.clone(),
                location: location.clone(),
                verifier: verifier(&keys, &self.audience, leeway)?,
                keys,
            };
            if domains.insert(name.clone(), domain).is_some() {
                return Err(format!("the trust domain {name} is named twice"));
            }
        }
        Ok(OpenSpiffe { domains })
    }
}

fn verifier(
    keys: &Arc<RemoteKeys>,
    audience: &str,
    leeway: Duration,
) -> Result<CachedVerifier<SvidClaims>, String> {
    let source: Arc<dyn KeySource> = keys.clone();
    let verifier = Verifier::builder(source)
        .algorithms(ALGORITHMS)
        .token_type(TokenType::Svid)
        // §3: there need not be any. Whose keys these are is known by the trust domain.
        .without_issuer_check()
        .audience(audience)
        .leeway(leeway)
        .require(&["sub", "exp"])
        .build()
        .map_err(|error| error.to_string())?;
    Ok(CachedVerifier::new(verifier, REMEMBERED))
}

/// Trust domains, once the guard runs.
pub(crate) struct OpenSpiffe {
    domains: HashMap<String, TrustDomain>,
}

/// A trust domain whose workloads may call.
pub(crate) struct TrustDomain {
    pub(crate) name: String,
    location: Location,
    pub(crate) keys: Arc<RemoteKeys>,
    verifier: CachedVerifier<SvidClaims>,
}

impl OpenSpiffe {
    /// Whose workload a token is from, by its own word, when that domain is named here.
    pub(crate) fn domain_of(&self, token: &Decoded) -> Option<&TrustDomain> {
        let domain = workload_of(token).and_then(trust_domain_of)?;
        self.domains.get(domain)
    }

    pub(crate) fn domains(&self) -> impl Iterator<Item = &TrustDomain> {
        self.domains.values()
    }
}

/// The SPIFFE ID of a workload, as one may be written, when a token is its JWT-SVID, by its own word. Tokens of any other kind have a type of
/// their own.
fn workload_of(token: &Decoded) -> Option<&str> {
    let typ = token.header.get("typ").and_then(Value::as_str).unwrap_or("JWT");
    let untyped = ["JWT", "JOSE"]
        .iter()
        .any(|known| typ.eq_ignore_ascii_case(known));
    let sub = token.payload.get("sub").and_then(Value::as_str);
    sub.filter(|sub| untyped && sub.starts_with(SCHEME))
}

/// Whether a token is a JWT-SVID, by its own word, of whatever trust domain.
pub(crate) fn is_svid(token: &str) -> bool {
    dangerous::decode(token).is_ok_and(|token| workload_of(&token).is_some())
}

impl TrustDomain {
    /// The workload that shows this token.
    pub(crate) async fn caller_of(&self, token: &str, now: u64) -> Result<Caller, Denial> {
        self.keys.prepare().await;
        let verified = match self.verifier.verify(token, now) {
            // Perhaps the domain has just begun to sign with it.
            Err(Error::UnknownKeyId) => {
                Box::pin(self.keys.look_for_key_of(token)).await;
                self.verifier.verify(token, now)?
            }
            other => other?,
        };
        let claims = &verified.claims;
        if let Some(flaw) = claims.flaw(&self.name) {
            return Err(Refused::TokenInvalid.because(flaw));
        }
        let jti = claims.jti.as_deref().unwrap_or_default();
        Ok(Caller::new(
            claims.sub.as_str().into(),
            &claims.sub,
            (jti, verified.times.exp),
        ))
    }
}

/// JWT-SVIDs of one trust domain whose signature is not checked again: agents hand the same one out until half of its life is over.
const REMEMBERED: usize = 256;
