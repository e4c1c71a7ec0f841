//! A resource server: who it is, whom it believes, and what it is made of once it runs.
//!
//! Spec: RFC 9068 §4 · RFC 9449 §4.3, §11.1 · RFC 9728 §2

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use carnet_client::clock::{Clock, SystemClock};
use carnet_client::error::ClientError;
use carnet_client::http::HttpClient;
use carnet_client::{introspect, revocations};
use carnet_jose::{CachedVerifier, TokenType, Verifier};

use crate::calling_services::{OpenServices, Services};
use crate::certificate::{CertificateHeader, CertificateProxies};
use crate::gateway::Gateway;
use crate::issuer::{Described, Issuer, Keys, Source};
use crate::metadata::{Facts, PublishedMetadata, ResourceMetadata, publish};
use crate::opaque::Opaque;
use crate::public_url::public_url;
use crate::replay::SeenTokens;
use crate::spiffe::{OpenSpiffe, Spiffe};
use crate::token::Token;

/// Starts the description of a resource server.
#[derive(Debug)]
pub struct ResourceServer;

impl ResourceServer {
    /// A resource server with this audience: tokens must name it in `aud`, byte for byte.
    #[expect(clippy::new_ret_no_self, reason = "reads as the sentence that it begins")]
    pub fn new(audience: impl Into<String>) -> Builder {
        Builder {
            audience: audience.into(),
            issuers: Vec::new(),
            public_url: None,
            leeway: Duration::from_secs(30),
            remembered: 10_000,
            http: None,
            clock: Arc::new(SystemClock),
            metadata: None,
            certificates: None,
            services: None,
            spiffe: None,
            before: None,
        }
    }
}

/// Describes a resource server.
pub struct Builder {
    audience: String,
    issuers: Vec<Issuer>,
    public_url: Option<String>,
    leeway: Duration,
    remembered: usize,
    http: Option<HttpClient>,
    pub(crate) clock: Arc<dyn Clock>,
    metadata: Option<ResourceMetadata>,
    certificates: Option<(CertificateHeader, Vec<String>)>,
    services: Option<Services>,
    spiffe: Option<Spiffe>,
    pub(crate) before: Option<Guard>,
}

impl Builder {
    /// Believes this issuer. Several may be named; a token's `iss` decides which one is meant.
    pub fn issuer(mut self, issuer: Issuer) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// Takes the tokens of services as well, on routes inside [`Guard::caller_in`].
    pub fn services(mut self, services: Services) -> Self {
        self.services = Some(services);
        self
    }

    /// Takes the JWT-SVIDs of workloads as well, on routes inside [`Guard::caller_in`].
    pub fn spiffe(mut self, spiffe: Spiffe) -> Self {
        self.spiffe = Some(spiffe);
        self
    }

    /// Where callers find this API: what a DPoP proof must name (RFC 9449 §4.3), followed by the path as this program sees it. A proxy in
    /// front that cuts off a part of the path makes that part belong here: `https://example.com/orders`.
    ///
    /// When not said, it is scheme, host and port of an audience that is a URL. `Host` and `X-Forwarded-…` are never asked: a proof that was
    /// made for another server could be made to fit. Without any of both, tokens that are bound to a key are refused.
    ///
    /// Each proof counts once, in this process: of several processes each would take it once within 20 seconds (RFC 9449 §11.1).
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into());
        self
    }

    /// How far clocks may be apart: 30 seconds when not said, ten minutes at most.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// How many accepted tokens are remembered, so that their signatures are checked once: 10,000 when not said, each little longer than what it
    /// says. A token of more than 2 KiB counts for several. Their times are checked at every request, and so is introspection. 0 remembers none.
    /// Tokens of shared secrets are never remembered: a MAC costs no more than looking.
    pub fn remember(mut self, tokens: usize) -> Self {
        self.remembered = tokens;
        self
    }

    /// Trusts the PEM certificates of this file as well when it talks to issuers.
    pub fn root_file(mut self, file: &Path) -> Result<Self, BuildError> {
        self.http = Some(HttpClient::with_root_file(file)?);
        Ok(self)
    }

    /// Publishes metadata of this API (RFC 9728), and names it in every challenge: a client that is refused finds out who issues tokens for it.
    /// The route is [`Guard::metadata_routes`]. The resource is the audience when that is a URL, else `public_url`.
    pub fn metadata(mut self, metadata: ResourceMetadata) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// Behind a proxy that ends TLS: takes the certificates of clients (RFC 8705) from this header, when the request comes from one of these
    /// addresses or networks (`10.0.0.0/8`), or over our unix socket (`unix`); from nobody else. The proxy must remove the header from what comes from outside.
    ///
    /// Where this program ends TLS itself, [`ClientCertificate`](crate::ClientCertificate) in the extensions of a request is enough.
    pub fn client_certificates_from<T: Into<String>>(
        mut self,
        header: CertificateHeader,
        peers: impl IntoIterator<Item = T>,
    ) -> Self {
        self.certificates = Some((header, peers.into_iter().map(Into::into).collect()));
        self
    }

    /// Tells the time by this clock.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Reads key files and starts fetching remote keys. An issuer that is down is no error: its tokens get 503 until its keys are there.
    pub async fn build(self) -> Result<Guard, BuildError> {
        if self.issuers.is_empty() && self.services.is_none() && self.spiffe.is_none() {
            return Err(BuildError::NoIssuer);
        }
        let public_url =
            public_url(self.public_url.as_deref(), &self.audience).map_err(BuildError::Policy)?;
        let http = match &self.http {
            Some(http) => http.clone(),
            None => HttpClient::new()?,
        };
        check_names(&self.issuers)?;
        let mut trusted: Vec<Trusted> = Vec::new();
        let mut opaque: Vec<Opaque> = Vec::new();
        for issuer in &self.issuers {
            match &issuer.keys {
                Keys::None => opaque.push(ask(issuer, &self, &http)?),
                _ => trusted.push(trust(issuer, &self, &http)?),
            }
        }
        check_prefixes(&opaque).map_err(BuildError::Policy)?;
        let metadata = self.published(public_url.as_deref())?;
        let proxies = self.certificates.as_ref();
        let proxies = proxies.map(|(header, peers)| CertificateProxies::new(*header, peers));
        let certificate_proxies = proxies.transpose().map_err(BuildError::Policy)?;
        let services = self.services.as_ref();
        let services = services.map(|services| {
            let base = services.base(public_url.as_deref()).map_err(BuildError::Policy)?;
            let known = trusted
                .iter()
                .map(|one| (one.name.as_str(), one.revocations.as_ref()));
            let (outside, before) = ((&http, self.clock.clone()), self.services_before());
            let opened = services.open(outside, (self.leeway, base), known, before);
            opened.map_err(BuildError::Client)
        });
        let services = services.transpose()?.map(Arc::new);
        let spiffe = self.spiffe.as_ref();
        let spiffe =
            spiffe.map(|spiffe| spiffe.open((&http, self.clock.clone()), self.leeway, self.spiffe_before()));
        let spiffe = spiffe.transpose().map_err(BuildError::Policy)?;
        self.fetch(&trusted, services.as_deref(), spiffe.as_ref()).await;
        Ok(Guard {
            parts: Arc::new(Parts {
                seen: self.seen_so_far(),
                trusted,
                opaque,
                clock: self.clock,
                leeway: self.leeway.as_secs(),
                public_url,
                metadata,
                certificate_proxies,
                services,
                spiffe,
                gateway: None,
            }),
        })
    }

    fn published(&self, public_url: Option<&str>) -> Result<Option<PublishedMetadata>, BuildError> {
        let Some(said) = &self.metadata else {
            return Ok(None);
        };
        let facts = Facts {
            audience: &self.audience,
            public_url,
            issuers: self.issuers.iter().map(|issuer| issuer.name.clone()).collect(),
            certificates: self.certificates.is_some(),
        };
        publish(said, facts).map(Some).map_err(BuildError::Policy)
    }
}

fn check_names(issuers: &[Issuer]) -> Result<(), BuildError> {
    for (at, issuer) in issuers.iter().enumerate() {
        if issuers.iter().take(at).any(|other| other.name == issuer.name) {
            return Err(BuildError::IssuerTwice(issuer.name.clone()));
        }
    }
    Ok(())
}

/// Who is asked about a token is never a matter of order.
fn check_prefixes(opaque: &[Opaque]) -> Result<(), String> {
    for (at, one) in opaque.iter().enumerate() {
        for other in opaque.iter().take(at) {
            let overlap = match (&one.prefix, &other.prefix) {
                (None, None) => true,
                (Some(one), Some(other)) => {
                    one.starts_with(other.as_str()) || other.starts_with(one.as_str())
                }
                _ => false,
            };
            if overlap {
                return Err(format!(
                    "the opaque tokens of {} and {} cannot be told apart: give each issuer a prefix of its own",
                    other.name, one.name
                ));
            }
        }
    }
    Ok(())
}

fn ask(issuer: &Issuer, server: &Builder, http: &HttpClient) -> Result<Opaque, BuildError> {
    let introspection = issuer.asked(None, (http, server.clock.clone()))?;
    let introspection = introspection.ok_or_else(|| {
        BuildError::Policy(format!(
            "{} has neither keys nor an introspection endpoint",
            issuer.name
        ))
    })?;
    // It would look as if it were followed.
    if issuer.revocations.is_some() {
        return Err(BuildError::Policy(format!(
            "{} is asked about each token: a revocation feed would be of no use",
            issuer.name
        )));
    }
    Ok(Opaque {
        name: issuer.name.clone(),
        prefix: issuer.prefix.clone(),
        introspection,
        may_lack: issuer.may_lack.clone(),
        audience: server.audience.clone(),
        leeway: server.leeway.as_secs(),
    })
}

fn trust(issuer: &Issuer, server: &Builder, http: &HttpClient) -> Result<Trusted, BuildError> {
    let source = server.source_of(issuer, http)?;
    let (token_type, required): (_, &[&str]) = if issuer.plain_jwt {
        (TokenType::Jwt, &["sub"])
    } else {
        // RFC 9068 §2.2: what every access token has.
        (
            TokenType::AccessToken,
            &["iss", "exp", "aud", "sub", "client_id", "iat", "jti"],
        )
    };
    let verifier = Verifier::builder(source.for_verifier())
        .algorithms(&issuer.algorithms)
        .token_type(token_type)
        .issuer(issuer.name.as_str())
        .audience(server.audience.as_str())
        .leeway(server.leeway)
        .require(required)
        .build()
        .map_err(|error| BuildError::Policy(error.to_string()))?;
    let macs = issuer.algorithms.iter().any(|algorithm| algorithm.is_mac());
    let remembered = if macs { 0 } else { server.remembered };
    let introspection = issuer.asked(Some(&source), (http, server.clock.clone()))?;
    let revocations = issuer.follow(&source, (http, server.clock.clone()))?;
    Ok(Trusted {
        revocations,
        name: issuer.name.clone(),
        verifier: CachedVerifier::new(verifier, remembered),
        plain_jwt: issuer.plain_jwt,
        described: issuer.described(),
        source,
        introspection,
    })
}

/// A resource server that is ready to guard. Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    pub(crate) parts: Arc<Parts>,
}

pub(crate) struct Parts {
    pub(crate) trusted: Vec<Trusted>,
    pub(crate) opaque: Vec<Opaque>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) leeway: u64,
    /// What stands in front of every path, without a slash at its end.
    pub(crate) public_url: Option<String>,
    pub(crate) metadata: Option<PublishedMetadata>,
    pub(crate) certificate_proxies: Option<CertificateProxies>,
    pub(crate) seen: Arc<SeenTokens>,
    pub(crate) services: Option<Arc<OpenServices>>,
    pub(crate) spiffe: Option<OpenSpiffe>,
    /// Who alone says who asks, when this service is behind it.
    pub(crate) gateway: Option<Gateway>,
}

/// An issuer whose tokens are accepted.
pub(crate) struct Trusted {
    pub(crate) name: String,
    pub(crate) verifier: CachedVerifier<Token>,
    /// Whether its tokens have no type that tells them from all others.
    pub(crate) plain_jwt: bool,
    pub(crate) source: Source,
    /// Where its keys come from, as the builder was told.
    pub(crate) described: Option<Described>,
    pub(crate) introspection: Option<introspect::Introspection>,
    pub(crate) revocations: Option<revocations::Revocations>,
}

impl Guard {
    /// Whether the keys of every issuer are there, and those of services where they may call, and what was taken back is known.
    pub fn ready(&self) -> bool {
        let services = self.parts.services.as_deref();
        let mut trusted = self.parts.trusted.iter();
        trusted.all(|trusted| {
            let followed = trusted.revocations.as_ref();
            trusted.source.is_loaded() && followed.is_none_or(|revocations| revocations.is_available())
        }) && services.is_none_or(OpenServices::is_ready)
            && self.trust_domains().all(|domain| domain.keys.is_loaded())
            && self.parts.gateway.as_ref().is_none_or(Gateway::is_ready)
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.parts.trusted.iter().map(|trusted| &trusted.name).collect();
        f.debug_struct("Guard")
            .field("issuers", &names)
            .finish_non_exhaustive()
    }
}

/// Why a resource server cannot be built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// No issuer is named.
    NoIssuer,
    /// An issuer is named twice.
    IssuerTwice(String),
    /// The policy is incomplete or contradicts itself.
    Policy(String),
    /// A key file or a root file cannot be used.
    Client(ClientError),
}

impl std::fmt::Display for BuildError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoIssuer => f.write_str("name at least one issuer"),
            Self::IssuerTwice(name) => write!(f, "the issuer {name} is named twice"),
            Self::Policy(why) => f.write_str(why),
            Self::Client(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BuildError {}

impl From<ClientError> for BuildError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}
