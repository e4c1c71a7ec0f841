//! A resource server: who it is, whom it believes, and what it is made of once it runs.
//!
//! Spec: RFC 9068 §4 · RFC 9449 §4.3, §11.1

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use carnet_client::clock::{Clock, SystemClock};
use carnet_client::error::ClientError;
use carnet_client::http::HttpClient;
use carnet_client::introspect;
use carnet_jose::{CachedVerifier, TokenType, Verifier};
use tokio::task::JoinSet;

use crate::auth::Token;
use crate::issuer::{Issuer, Source};
use crate::public_url::public_url;
use crate::replay::SeenProofs;

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
            remembered: 4_096,
            http: None,
            clock: Arc::new(SystemClock),
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
    clock: Arc<dyn Clock>,
}

impl Builder {
    /// Believes this issuer. Several may be named; a token's `iss` decides which one is meant.
    pub fn issuer(mut self, issuer: Issuer) -> Self {
        self.issuers.push(issuer);
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

    /// How many accepted tokens are remembered, so that their signatures are checked once: 4,096 when not said, about a kilobyte
    /// each. Their times are checked at every request, and so is introspection. 0 remembers none. Tokens of shared secrets are
    /// never remembered: a MAC costs no more than looking.
    pub fn remember(mut self, tokens: usize) -> Self {
        self.remembered = tokens;
        self
    }

    /// Trusts the PEM certificates of this file as well when it talks to issuers.
    pub fn root_file(mut self, file: &Path) -> Result<Self, BuildError> {
        self.http = Some(HttpClient::with_root_file(file)?);
        Ok(self)
    }

    /// Tells the time by this clock.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Reads key files and starts fetching remote keys. An issuer that is down is no error: its tokens get 503 until its keys are there.
    pub async fn build(self) -> Result<Guard, BuildError> {
        if self.issuers.is_empty() {
            return Err(BuildError::NoIssuer);
        }
        let public_url =
            public_url(self.public_url.as_deref(), &self.audience).map_err(BuildError::Policy)?;
        let http = match &self.http {
            Some(http) => http.clone(),
            None => HttpClient::new()?,
        };
        let mut trusted: Vec<Trusted> = Vec::new();
        for issuer in &self.issuers {
            if trusted.iter().any(|other| other.name == issuer.name) {
                return Err(BuildError::IssuerTwice(issuer.name.clone()));
            }
            trusted.push(trust(issuer, &self, &http)?);
        }
        // All at once: an issuer that does not answer takes its two seconds, however many there are.
        let mut fetching = JoinSet::new();
        for trusted in &trusted {
            if let Source::Remote(keys) = &trusted.source {
                let keys = keys.clone();
                fetching.spawn(async move { keys.prepare().await });
            }
        }
        fetching.join_all().await;
        Ok(Guard {
            parts: Arc::new(Parts {
                trusted,
                clock: self.clock,
                public_url,
                seen: SeenProofs::default(),
            }),
        })
    }
}

fn trust(issuer: &Issuer, server: &Builder, http: &HttpClient) -> Result<Trusted, BuildError> {
    let source = issuer.key_source(http, server.clock.clone())?;
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
    let introspection = issuer
        .introspection
        .as_ref()
        .map(|introspection| introspection.open(http, server.clock.clone()))
        .transpose()?;
    Ok(Trusted {
        name: issuer.name.clone(),
        verifier: CachedVerifier::new(verifier, remembered),
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
    pub(crate) clock: Arc<dyn Clock>,
    /// What stands in front of every path, without a slash at its end.
    pub(crate) public_url: Option<String>,
    pub(crate) seen: SeenProofs,
}

/// An issuer whose tokens are accepted.
pub(crate) struct Trusted {
    pub(crate) name: String,
    pub(crate) verifier: CachedVerifier<Token>,
    pub(crate) source: Source,
    pub(crate) introspection: Option<introspect::Introspection>,
}

impl Guard {
    /// Whether the keys of every issuer are there.
    pub fn ready(&self) -> bool {
        self.parts.trusted.iter().all(|trusted| match &trusted.source {
            Source::Remote(keys) => keys.is_loaded(),
            Source::Fixed(_) => true,
        })
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
