//! An app in browsers whose tokens we keep: what its endpoints share.
//!
//! Spec: RFC 10017 §6.1

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use carnet_client::clock::Clock;
use carnet_client::login_check::LoginCheck;
use carnet_client::provider::Provider;
use carnet_client::seal::Keys;
use carnet_guard::Guard;
use carnet_jose::Verifier;
use carnet_store::{BffSessions, StoreError};
use http::request::Parts as Head;
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::flights::Flights;
use super::tasks::Tasks;
use super::watched::Watched;
use crate::limit::Limit;
use crate::refusal::Refusal;

/// An app in browsers whose tokens we keep. Cheap to clone.
#[derive(Clone)]
pub struct Bff {
    pub(super) parts: Arc<Parts>,
}

pub(super) struct Parts {
    pub(super) settings: Settings,
    pub(super) provider: Arc<Provider>,
    pub(super) login: LoginCheck,
    pub(super) logout_tokens: Verifier,
    pub(super) keys: Keys,
    /// From each, with the cookie, the key of a session is made: the first seals, all of them open.
    pub(super) masters: Vec<Vec<u8>>,
    pub(super) store: BffSessions,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) flights: Arc<Flights>,
    pub(super) streams: Arc<Watched>,
    pub(super) tasks: Arc<Tasks>,
    /// How often an address may ask for what anybody may ask for.
    pub(super) limit: Limit,
    /// Milliseconds since 1970: when what counts once was last forgotten.
    pub(super) swept: AtomicI64,
}

/// What the app was described with.
pub(super) struct Settings {
    /// Scheme, host and port, without a slash.
    pub(super) origin: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) secure: bool,
    /// Without a slash at its end.
    pub(super) prefix: String,
    pub(super) client_id: String,
    pub(super) scope: String,
    pub(super) resources: Vec<String>,
    pub(super) after_logout: String,
    pub(super) csrf_header: HeaderName,
    pub(super) idle_ms: i64,
    pub(super) absolute_ms: i64,
    pub(super) null_for_nobody: bool,
    pub(super) silent_login: bool,
    /// The browser carries the sessions itself.
    pub(super) sealed: bool,
}

/// A request to one of the endpoints.
pub(super) struct Asked {
    /// Who asks, behind the proxies that are believed.
    pub(super) client: Option<IpAddr>,
    pub(super) head: Head,
    pub(super) query: Vec<(String, String)>,
    /// Knows what the issuer has taken back, where somebody follows it.
    pub(super) guard: Option<Guard>,
}

impl Asked {
    /// A parameter of the query that is there once.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let mut found = self.query.iter().filter(|(key, _)| key == name);
        let first = found.next().map(|(_, value)| value.as_str());
        first.filter(|_| found.next().is_none())
    }

    /// The same; `None` when it is there more than once, and nobody can say which one counts.
    pub(super) fn at_most_one(&self, name: &str) -> Option<Option<&str>> {
        match self.query.iter().filter(|(key, _)| key == name).count() {
            0 | 1 => Some(self.parameter(name)),
            _ => None,
        }
    }
}

impl Settings {
    /// The whole name of a cookie; the session's own when `what` is empty. Browsers that do not know the prefix enforce `__Host-`, with which it
    /// begins: `Secure`, `Path=/`, no `Domain`.
    pub(super) fn cookie_name(&self, what: &str) -> String {
        let prefix = if self.secure { "__Host-Http-" } else { "" };
        format!("{prefix}bff{what}")
    }
}

impl Bff {
    /// The names of our cookies, as no service sees them; a star ends the beginning of a name.
    pub fn cookie_names(&self) -> String {
        format!("{}*", self.parts.settings.cookie_name(""))
    }

    /// Seconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.parts.clock.since_epoch().as_secs()
    }

    /// Milliseconds since 1970, as the store counts.
    pub(super) fn now_ms(&self) -> i64 {
        i64::try_from(self.parts.clock.since_epoch().as_millis()).unwrap_or(i64::MAX)
    }

    /// Counts what somebody has asked for who need not be logged in, and who makes the gateway remember something, or ask the issuer.
    ///
    /// # Errors
    /// 429 and when to come back.
    pub(super) fn count(&self, client: Option<IpAddr>) -> Result<(), Refusal> {
        self.parts.limit.count(None, client).map(|_| ())
    }

    /// Comes when nothing is under way that would be lost: tokens that the issuer gives once, and tokens that are given back.
    pub async fn settled(&self) {
        self.parts.tasks.over().await;
    }

    /// The address of one of the endpoints.
    pub(super) fn url(&self, endpoint: &str) -> String {
        let settings = &self.parts.settings;
        format!("{}{}/{endpoint}", settings.origin, settings.prefix)
    }

    /// The path of one of the endpoints.
    pub(super) fn path(&self, endpoint: &str) -> String {
        format!("{}/{endpoint}", self.parts.settings.prefix)
    }
}

impl std::fmt::Debug for Bff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bff")
            .field("origin", &self.parts.settings.origin)
            .finish_non_exhaustive()
    }
}

/// A database that does not answer logs nobody out.
pub(super) fn no_store(error: &StoreError) -> Refusal {
    tracing::error!(%error, code = error.code(), "the store of the sessions");
    UNAVAILABLE.with(header::RETRY_AFTER, HeaderValue::from_static("5"))
}

/// 503: what the issuer has signed cannot be checked without its keys.
pub(super) fn no_keys() -> Refusal {
    tracing::warn!("the keys of the issuer cannot be had");
    UNAVAILABLE.with(header::RETRY_AFTER, HeaderValue::from_static("5"))
}

pub(super) const UNAVAILABLE: Refusal = Refusal::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "temporarily_unavailable",
    "the login cannot be checked at the moment; nobody is logged out by that",
);

/// Sessions that browsers carry themselves are nowhere in a list, and nobody else can end them.
pub(super) fn demand_kept(bff: &Bff) -> Result<(), Refusal> {
    match bff.parts.settings.sealed {
        true => Err(UNKNOWN),
        false => Ok(()),
    }
}

pub(super) const UNKNOWN: Refusal = Refusal::new(
    StatusCode::NOT_FOUND,
    "route_unknown",
    "there is nothing at this address",
);
