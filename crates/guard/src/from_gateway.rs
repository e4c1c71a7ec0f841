//! A service behind a gateway: described as a resource server is, and guarded in the same way.
//!
//! Spec: RFC 7519 · RFC 8725 §3.11 · RFC 7517 §5

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use carnet_client::clock::{Clock, SystemClock};
use carnet_client::http::HttpClient;
use carnet_client::jwks::Location;
use carnet_client::keeper;
use carnet_jose::Algorithm;
use carnet_oauth::identity_assertion::{ALGORITHMS, JWKS_PATH};
use http::HeaderName;

use crate::asserted::Assertions;
use crate::calling_services::Services;
use crate::gateway::Gateway;
use crate::issuer::{Issuer, Keys, Source};
use crate::peer::Peers;
use crate::plain_headers::{PlainHeaders, Said};
use crate::replay::SeenTokens;
use crate::resource_server::{BuildError, Guard, Parts};
use crate::succession::FIRST_SET;

/// Starts the description of a service whose callers a gateway has checked. The [`Guard`] that comes of it has the same layers, rules and
/// extractors as one that checks tokens itself: handlers do not know the difference.
///
/// ```no_run
/// use axum::{Router, routing::get};
/// use carnet_guard::{Auth, BuildError, FromGateway};
///
/// # async fn start() -> Result<(), BuildError> {
/// let guard = FromGateway::assertion("https://api.example.com", "orders").build().await?;
/// let orders = async |auth: Auth| format!("orders of {}", auth.sub());
/// let app: Router = Router::new().route("/orders", get(orders)).layer(guard.layer());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FromGateway;

impl FromGateway {
    /// Believes what the gateway `issuer` has signed for this service, whoever brings it: `X-Identity-Assertion`. Both are compared byte for
    /// byte: `issuer` is `assertion.issuer` of the gateway, `audience` the upstream's `assertion_audience`.
    ///
    /// Its keys are asked for behind the issuer, at `/.well-known/identity-assertion-jwks.json`. `X-User-ID` and its like are not read. On routes inside
    /// [`Guard::caller_in`] it is believed which service calls, on all others which user.
    pub fn assertion(issuer: impl Into<String>, audience: impl Into<String>) -> ByAssertion {
        let issuer = issuer.into();
        let jwks = format!("{}{JWKS_PATH}", issuer.trim_end_matches('/'));
        ByAssertion::new(Issuer::jwks(issuer, jwks).algorithms(ALGORITHMS), audience.into())
    }

    /// Believes the headers `X-User-ID` and `X-User-Roles`, from these peers alone: addresses, networks (`10.1.2.0/24`), or `unix` for whoever
    /// can open the socket that this service listens at. From everybody else they are a reason to refuse, and so they are when nobody says who
    /// the peer is: serve with connect info, or put [`PeerAddress`](crate::PeerAddress) into the extensions of requests.
    ///
    /// The network must guarantee that nobody else has such an address, and nobody else can reach the gateway's side of a connection:
    /// docs/internal-network.md. What only a token says is not known then: issuer, client, scopes, how the user logged in. Where
    /// [`User`](crate::User) is asked for nobody gets in, unless the gateway says `client_id` too, and [`ByHeaders::text`] reads it: a client's
    /// own token has a `sub` as well.
    ///
    /// ```no_run
    /// # async fn start(app: axum::Router) -> Result<(), Box<dyn std::error::Error>> {
    /// use carnet_guard::FromGateway;
    ///
    /// let guard = FromGateway::plain_headers(["10.0.0.7", "fd00::7"]).build().await?;
    /// let app = app.layer(guard.layer());
    /// let listener = tokio::net::TcpListener::bind("10.0.0.8:8080").await?;
    /// axum::serve(listener, app.into_make_service_with_connect_info::<std::net::SocketAddr>()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn plain_headers<T: Into<String>>(peers: impl IntoIterator<Item = T>) -> ByHeaders {
        let usual = [("x-user-id", "sub", false), ("x-user-roles", "roles", true)];
        ByHeaders {
            peers: peers.into_iter().map(Into::into).collect(),
            said: usual
                .map(|(name, claim, list)| (name.to_owned(), claim.to_owned(), list))
                .to_vec(),
            calling: None,
            common: Common::default(),
        }
    }
}

/// What both kinds have in common.
struct Common {
    http: Option<HttpClient>,
    clock: Arc<dyn Clock>,
    leeway: Duration,
    services: Option<Services>,
}

impl Default for Common {
    fn default() -> Self {
        Self {
            http: None,
            clock: Arc::new(SystemClock),
            leeway: Duration::from_secs(30),
            services: None,
        }
    }
}

impl Common {
    fn http(&self) -> Result<HttpClient, BuildError> {
        match &self.http {
            Some(http) => Ok(http.clone()),
            None => Ok(HttpClient::new()?),
        }
    }

    async fn guard(self, gateway: Gateway) -> Result<Guard, BuildError> {
        let services = match &self.services {
            Some(services) => {
                let asks = (&self.http()?, self.clock.clone());
                let base = services.base(None).map_err(BuildError::Policy)?;
                Some(Arc::new(services.open(
                    asks,
                    (self.leeway, base),
                    std::iter::empty(),
                    None,
                )?))
            }
            None => None,
        };
        if let Some(services) = &services {
            keeper::keep(&services.remote);
            services.remote.prepare(services.told()).await;
            if let Some(revocations) = services.own_revocations() {
                revocations.prepare(FIRST_SET).await;
            }
        }
        Ok(Guard {
            parts: Arc::new(Parts {
                trusted: Vec::new(),
                opaque: Vec::new(),
                clock: self.clock,
                leeway: self.leeway.as_secs(),
                public_url: None,
                metadata: None,
                certificate_proxies: None,
                seen: Arc::new(SeenTokens::of_proofs()),
                services,
                spiffe: None,
                gateway: Some(gateway),
            }),
        })
    }
}

/// Describes a service that believes the gateway's signature; see [`FromGateway::assertion`].
pub struct ByAssertion {
    issuer: Issuer,
    audience: String,
    remembered: usize,
    common: Common,
}

impl ByAssertion {
    pub(crate) fn new(issuer: Issuer, audience: String) -> Self {
        Self {
            issuer,
            audience,
            remembered: 4_096,
            common: Common::default(),
        }
    }

    /// Asks for the gateway's keys here: an https URL, or an http URL of this machine. Over plain http whoever is on the way could put in keys
    /// of their own.
    pub fn jwks_url(mut self, url: impl Into<String>) -> Self {
        self.issuer.keys = Keys::Remote(Location::Jwks(url.into()));
        self
    }

    /// Takes the gateway's keys from a file: what it answers at `/.well-known/identity-assertion-jwks.json`. Read once.
    pub fn jwks_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.issuer.keys = Keys::JwksFile(file.into());
        self
    }

    /// Allows these algorithms alone: ES256 when not said.
    pub fn algorithms(mut self, algorithms: &[Algorithm]) -> Self {
        self.issuer = self.issuer.algorithms(algorithms);
        self
    }

    /// Keeps the gateway's keys in this file as well; see [`Issuer::snapshot`].
    pub fn snapshot(mut self, file: impl Into<PathBuf>) -> Self {
        self.issuer = self.issuer.snapshot(file);
        self
    }

    /// How far clocks may be apart: 30 seconds when not said, ten minutes at most.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.common.leeway = leeway;
        self
    }

    /// How many accepted assertions are remembered, so that their signatures are checked once: 4,096 when not said.
    pub fn remember(mut self, assertions: usize) -> Self {
        self.remembered = assertions;
        self
    }

    /// Trusts the PEM certificates of this file as well when it asks for keys.
    pub fn root_file(mut self, file: &Path) -> Result<Self, BuildError> {
        self.common.http = Some(HttpClient::with_root_file(file)?);
        Ok(self)
    }

    /// Lets services in by their own tokens as well, on routes inside [`Guard::caller_in`]; users come through the gateway all the same.
    pub fn services(mut self, services: Services) -> Self {
        self.common.services = Some(services);
        self
    }

    /// Tells the time by this clock.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.common.clock = Arc::new(clock);
        self
    }

    /// Starts to fetch the gateway's keys. A gateway that is down is no error: requests get 503 until its keys are there.
    pub async fn build(self) -> Result<Guard, BuildError> {
        if self.audience.is_empty() {
            return Err(BuildError::Policy(
                "this service has no name: write what the gateway calls it (assertion_audience)".to_owned(),
            ));
        }
        let http = self.common.http()?;
        let source = self.issuer.key_source(&http, self.common.clock.clone())?;
        if let Source::Remote(keys) = &source {
            keeper::keep(keys);
            keys.prepare().await;
        }
        let names = (self.issuer.name.as_str(), self.audience.as_str());
        let memory = (self.common.leeway, self.remembered);
        let assertions = Assertions::new(names, source, &self.issuer.algorithms, memory);
        let gateway = Gateway::Signed(Box::new(assertions.map_err(BuildError::Policy)?));
        self.common.guard(gateway).await
    }
}

impl std::fmt::Debug for ByAssertion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ByAssertion")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

/// Describes a service that believes headers of listed peers; see [`FromGateway::plain_headers`].
pub struct ByHeaders {
    peers: Vec<String>,
    said: Vec<(String, String, bool)>,
    calling: Option<String>,
    common: Common,
}

impl ByHeaders {
    /// Reads one more claim from this header, as a text: what `[[identity]]` of the gateway says, with `encode = "percent"`. For `sub` and
    /// `roles` this takes the place of the usual header.
    pub fn text(self, header: impl Into<String>, claim: impl Into<String>) -> Self {
        self.said(header.into(), claim.into(), false)
    }

    /// As [`ByHeaders::text`], with several words between commas.
    pub fn list(self, header: impl Into<String>, claim: impl Into<String>) -> Self {
        self.said(header.into(), claim.into(), true)
    }

    /// Reads from this header which service calls in its own name, on routes inside [`Guard::caller_in`]: `X-Calling-Service` of Carnet's gateway. Only
    /// for a gateway that removes the header from what clients send, as that one does.
    pub fn calling_service(mut self, header: impl Into<String>) -> Self {
        self.calling = Some(header.into());
        self
    }

    /// Lets services in by their own tokens as well, on routes inside [`Guard::caller_in`]; users come through the gateway all the same.
    pub fn services(mut self, services: Services) -> Self {
        self.common.services = Some(services);
        self
    }

    /// Tells the time by this clock.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.common.clock = Arc::new(clock);
        self
    }

    /// Checks the list of peers and the names of the headers.
    pub async fn build(self) -> Result<Guard, BuildError> {
        let peers = Peers::read_some(&self.peers)
            .map_err(|why| BuildError::Policy(format!("plain_headers: {why}")))?;
        let named = |name: String| {
            let wrong = |_| BuildError::Policy(format!("plain_headers: {name:?} is no name of a header"));
            name.parse::<HeaderName>().map_err(wrong)
        };
        let said = self.said.into_iter().map(|(name, claim, list)| {
            let name = named(name)?;
            Ok(Said { name, claim, list })
        });
        let said = said.collect::<Result<Vec<_>, BuildError>>()?;
        let calling = self.calling.map(named).transpose()?;
        let headers = PlainHeaders::new(peers, said, calling);
        self.common.guard(Gateway::Plain(headers)).await
    }

    fn said(mut self, header: String, claim: String, list: bool) -> Self {
        self.said.retain(|(_, known, _)| *known != claim);
        self.said.push((header, claim, list));
        self
    }
}

impl std::fmt::Debug for ByHeaders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ByHeaders")
            .field("peers", &self.peers)
            .field("said", &self.said)
            .field("calling", &self.calling)
            .finish_non_exhaustive()
    }
}
