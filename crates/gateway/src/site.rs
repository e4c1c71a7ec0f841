//! Everything that requests are judged by, made of one configuration. It never changes; another configuration makes another one.

mod access;
mod app;
mod build;
mod doors;
mod limits;
mod names;
mod needed;
mod pattern;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::response::Response;
use carnet_client::exchange::{Exchange, Wanted};
use carnet_client::revocations::Status;
use carnet_guard::{Clock, Guard, Refused};
use carnet_listen::value::Listed;
use http::request::Parts;
use http::{HeaderMap, Method};
use tokio::task::JoinSet;

use self::access::Access;
pub use self::access::Admitted;
pub use self::names::Names;
pub(crate) use self::needed::Needed;
use crate::assertion::Assertions;
use crate::bff::{Bff, Mapped};
use crate::certificates::Certificates;
use crate::config::{AtExpiry, Config, Spoofed, Token};
use crate::contents::Contents;
use crate::cors::Cors;
use crate::feeds::Feeds;
use crate::headers;
use crate::health;
use crate::identity::ClaimHeader;
use crate::limit::{Limit, Standing};
use crate::login::Login;
use crate::metrics::ServerReport;
use crate::refusal::Refusal;
use crate::route::Table;
use crate::series::Series;
use crate::target;
use crate::tokens::metadata::Published;
use crate::upgrade::Sockets;
use crate::upstream::Upstream;
use crate::watch::{SessionEnd, Watch};

/// A configuration that was read, checked and made ready.
pub struct Site {
    /// Whether clients speak TLS with us.
    pub https: bool,
    /// Proxies that are believed.
    pub trusted_proxies: Vec<Listed>,
    /// Names that no client may use.
    pub names: Names,
    /// What happens to a request with a name that says who asks.
    pub spoofed: Spoofed,
    /// Cookies that no service gets or sets.
    pub own_cookies: Vec<String>,
    /// The headers that say who asks.
    pub identity: Vec<ClaimHeader>,
    /// Signs who asks.
    pub assertions: Option<Assertions>,
    /// Where tokens are exchanged.
    pub exchange: Option<Arc<Exchange>>,
    /// Proxies that tell which certificate a client has shown.
    pub certificates: Option<Certificates>,
    /// How many tokens that are none an address may show.
    pub failures: Arc<Limit>,
    /// What is said of the APIs.
    pub published: Published,
    /// The app whose tokens we keep.
    pub bff: Option<Bff>,
    table: Table,
    routes: Vec<Route>,
    upstreams: Vec<Arc<Upstream>>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// What it was made of.
    pub config: Config,
    contents: Contents,
    guards: HashMap<String, Guard>,
    feeds: Feeds,
    watching: JoinSet<()>,
}

/// What is done with the requests of a route.
#[derive(Debug)]
pub struct Route {
    access: Access,
    /// What becomes of `Authorization`.
    pub token: Token,
    /// What of a session's requests passes, when the token is that of a session.
    pub session: Option<Mapped>,
    /// For what the caller's token is exchanged.
    pub exchange: Option<Wanted>,
    /// What it says of WebSockets, when it lets them through.
    pub sockets: Option<Sockets>,
    /// What it says of other origins.
    pub cors: Option<Cors>,
    /// How often one caller may ask.
    pub limit: Option<Arc<Limit>>,
    /// Its path, for the log, and its metrics.
    pub name: Arc<Series>,
    /// What happens to streams when the caller's token ends.
    pub at_expiry: AtExpiry,
    /// Where browsers without a token are sent.
    pub(crate) login: Option<Login>,
    upstream: Option<usize>,
}

impl Site {
    /// Begins to look whether servers are well and certificates new; ends when the site is dropped.
    pub fn watch(&mut self) {
        for upstream in &self.upstreams {
            for server in upstream.servers() {
                let watch = health::watch(Arc::clone(upstream), Arc::clone(server));
                self.watching.spawn(watch);
            }
            self.watching.spawn(health::sweep(Arc::clone(upstream)));
            if let Some(shown) = upstream.shown_certificate() {
                self.watching.spawn(shown.keep_fresh());
            }
        }
    }

    /// Takes over what must not be forgotten; in a moment it answers instead of the other.
    pub(crate) fn succeeds(&self, before: &Self) {
        self.feeds.succeed(&before.feeds);
    }

    /// From now on it answers instead of the other: what nobody looks after any more ends.
    pub(crate) fn replaces(&self, before: &Self) {
        if let Some(bff) = &before.bff {
            bff.make_room(self.bff.as_ref());
        }
    }

    /// How each server of each service is.
    pub(crate) fn servers(&self) -> impl Iterator<Item = ServerReport> {
        self.upstreams.iter().flat_map(|upstream| upstream.report())
    }

    /// Whether the keys of every issuer are there, and what was taken back is known.
    pub fn is_ready(&self) -> bool {
        self.guards.values().all(Guard::ready)
    }

    /// What tokens are checked with.
    pub(crate) fn needed(&self) -> impl Iterator<Item = Needed> {
        self.guard().into_iter().flat_map(needed::of_guard)
    }

    /// How the feed of each issuer that is followed is doing.
    pub fn revocations(&self) -> impl Iterator<Item = (&str, Status)> {
        self.guard().into_iter().flat_map(Guard::revocations)
    }

    /// One of the guards: each has what all of them have.
    pub(crate) fn guard(&self) -> Option<&Guard> {
        self.guards.values().next()
    }

    /// Leaves of what a client sends the cookies that the service of a route gets.
    pub(crate) fn leave_cookies(&self, route: &Route, headers: &mut HeaderMap) {
        if let Some(mapped) = &route.session {
            headers::keep_cookies(headers, &mapped.cookies);
        }
        headers::strip_cookies(headers, &self.own_cookies);
    }

    /// The route of a request, and the service behind it, when there is one.
    pub fn find(
        &self,
        target: &target::Target,
        method: &Method,
    ) -> Result<(&Route, Option<&Upstream>), Refusal> {
        let route = &self.routes[self.table.find(&target.host, &target.path, method)?];
        Ok((route, route.upstream.map(|at| &*self.upstreams[at])))
    }
}

impl Route {
    /// The caller, when this route asks for one.
    pub async fn admit(&self, parts: &Parts) -> Result<Admitted, Refused> {
        self.access.admit(parts).await
    }

    /// Counts a request, where the route has a limit.
    pub(crate) fn count(
        &self,
        caller: &Admitted,
        client: Option<IpAddr>,
    ) -> Result<Option<Standing>, Refusal> {
        let Some(limit) = &self.limit else {
            return Ok(None);
        };
        let standing = match caller {
            Admitted::Service(service) => limit.count_service(service.name()),
            caller => limit.count(caller.user(), client),
        };
        standing.map(Some)
    }

    /// The answer to a caller who is refused.
    pub fn refusal(&self, refused: &Refused) -> Response {
        self.access.refusal(refused)
    }

    /// Whether the caller may go on, for what goes on after its request.
    pub(crate) fn watch(&self, caller: &Admitted, session: Option<SessionEnd>) -> Option<Watch> {
        Watch::over(self.access.until_refused(caller), session)
    }
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site")
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}
