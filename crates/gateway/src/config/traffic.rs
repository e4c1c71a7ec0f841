//! What the operator says of services and routes.

use carnet_listen::value::Ttl;
use serde::Deserialize;
use std::path::PathBuf;

use super::tokens::ClaimRule;

/// `[[upstreams]]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// What routes call it.
    pub name: String,
    /// Scheme, host and port of each of its servers.
    pub urls: Vec<String>,
    /// http1, or http2 for gRPC.
    #[serde(default)]
    pub protocol: Protocol,
    /// Sends the Host that the client asked for, rather than the server's own.
    #[serde(default)]
    pub preserve_host: bool,
    /// PEM certificates that are trusted as well.
    pub root_certificates_file: Option<PathBuf>,
    /// The certificate that is shown to servers which ask for one, and its chain, in PEM; read again when it changes.
    pub client_certificate_file: Option<PathBuf>,
    /// Its private key in PEM, readable by its owner alone.
    pub client_key_file: Option<PathBuf>,
    /// The name that the servers' certificates must have; the host of their URL when absent.
    pub server_name: Option<String>,
    /// Sends a signed assertion of who asks (X-Identity-Assertion) with this `aud`; needs `[assertion]`.
    pub assertion_audience: Option<String>,
    /// round-robin or least-loaded.
    #[serde(default)]
    pub balance: Balance,
    /// How often another server is tried for a request that one got nothing of, or that may safely come twice. All retries together are a fifth of all requests at most.
    #[serde(default = "two")]
    pub retries: usize,
    /// A server that fails so many times in a row is left alone.
    #[serde(default = "five")]
    pub eject_after: usize,
    /// For so long.
    #[serde(default = "half_a_minute")]
    pub eject_for: Ttl,
    /// What each server is asked to see whether it is well (any 2xx); nothing when absent.
    pub health_path: Option<String>,
    /// How often.
    #[serde(default = "ten_seconds")]
    pub health_interval: Ttl,
    /// How long an answer may stand still.
    #[serde(default = "minute")]
    pub idle_timeout: Ttl,
    /// How long a connection may take to be made.
    #[serde(default = "second")]
    pub connect_timeout: Ttl,
    /// How long the head of an answer may take.
    #[serde(default = "half_a_minute")]
    pub answer_timeout: Ttl,
}

const fn second() -> Ttl {
    Ttl::seconds(1)
}

const fn two() -> usize {
    2
}

const fn five() -> usize {
    5
}

const fn ten_seconds() -> Ttl {
    Ttl::seconds(10)
}

const fn half_a_minute() -> Ttl {
    Ttl::seconds(30)
}

/// Which server of a service is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// One after the other.
    #[default]
    RoundRobin,
    /// The one with fewer open requests, of two that chance picks.
    LeastLoaded,
}

/// How a service is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP/1.1
    #[default]
    Http1,
    /// HTTP/2, without TLS by prior knowledge.
    Http2,
}

/// `[[routes]]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// A path and everything below it.
    pub path: String,
    /// This path alone.
    #[serde(default)]
    pub exact: bool,
    /// Hosts, or `*.example.com`; every host that no other route names when empty.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Methods; every one when empty.
    #[serde(default)]
    pub methods: Vec<String>,
    /// The name of one of `[[upstreams]]`. A route without one is for `[forward_auth]` alone.
    pub upstream: Option<String>,
    /// Lets everybody in. Without it a valid token is needed.
    #[serde(default)]
    pub public: bool,
    /// The token is that of the session behind the browser's cookie: the route is the app's of `[bff]`.
    #[serde(default)]
    pub session: bool,
    /// Cookies that the service gets from such a route; none when empty.
    #[serde(default)]
    pub pass_cookies: Vec<String>,
    /// Lets an `EventSource` of the app, which cannot send X-CSRF, read event streams of such a route.
    #[serde(default)]
    pub session_events: bool,
    /// What a token must have: `scope:…`, `role:…`, `permission:…`. All of them.
    #[serde(default)]
    pub require: Vec<String>,
    /// As `require`; one of them is enough.
    #[serde(default)]
    pub require_any: Vec<String>,
    /// What claims must be. All of them.
    #[serde(default)]
    pub require_claims: Vec<ClaimRule>,
    /// How the user must have logged in: one of these classes, the preferred first. Whoever did not is asked to (RFC 9470).
    #[serde(default)]
    pub acr: Vec<String>,
    /// How long ago the user may have logged in. Whoever did before is asked to do it again (RFC 9470).
    pub max_auth_age: Option<Ttl>,
    /// The services of `[services]` that may call, by their `client_id`s: they alone, unless `or_users`.
    #[serde(default)]
    pub callers: Vec<String>,
    /// Lets users in beside `callers`, as a route without `callers` does.
    #[serde(default)]
    pub or_users: bool,
    /// What `aud` must name, rather than `tokens.audience`.
    pub audience: Option<String>,
    /// Where `[forward_auth]` sends a browser without a token: a path or a URL, with `{path}` or `{url}` in its query for what was asked for.
    pub login_url: Option<String>,
    /// What becomes of `Authorization`: strip or forward.
    #[serde(default)]
    pub token: Token,
    /// Puts another token into `Authorization`: one for the service, got for the caller's; needs `[exchange]`.
    pub exchange: Option<RouteExchange>,
    /// Lets WebSockets through.
    #[serde(default)]
    pub websocket: bool,
    /// Origins beside the route's own whose pages may open WebSockets.
    #[serde(default)]
    pub websocket_origins: Vec<String>,
    /// Lets scripts of other origins ask. Preflights are answered by the gateway; the service never sees them.
    pub cors: Option<Cors>,
    /// How often one caller may ask: the subject of the token, or without one the address.
    pub rate_limit: Option<RateLimit>,
    /// close or keep: what becomes of WebSockets, event streams and gRPC calls that go on when the caller's token ends.
    #[serde(default)]
    pub at_expiry: AtExpiry,
}

/// `cors` of a route.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// Origins as browsers write them, such as `https://app.example.com`; or `*`.
    pub origins: Vec<String>,
    /// Lets them send cookies.
    #[serde(default)]
    pub credentials: bool,
    /// Headers that they may send beside the usual ones.
    #[serde(default = "Cors::usual_headers")]
    pub headers: Vec<String>,
    /// Headers of answers that they may read beside the usual ones.
    #[serde(default)]
    pub expose: Vec<String>,
    /// How long a browser may remember the answer to a preflight.
    #[serde(default = "ten_minutes")]
    pub max_age: Ttl,
}

impl Cors {
    fn usual_headers() -> Vec<String> {
        ["Authorization", "Content-Type"].map(str::to_owned).to_vec()
    }
}

const fn minute() -> Ttl {
    Ttl::minutes(1)
}

const fn ten_minutes() -> Ttl {
    Ttl::minutes(10)
}

/// `rate_limit` of a route.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// So many requests
    pub requests: u32,
    /// in so much time, spread evenly;
    pub per: Ttl,
    /// and so many at once after a pause. As many as `requests` when absent.
    pub burst: Option<u32>,
}

/// What becomes of a stream when the caller's token ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AtExpiry {
    /// It ends too.
    #[default]
    Close,
    /// It goes on.
    Keep,
}

/// `exchange` of a route.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteExchange {
    /// The service as the authorization server knows it; what `aud` of the new token names.
    pub resource: String,
    /// Space-separated; as wide as the caller's token allows when absent.
    pub scope: Option<String>,
}

/// What becomes of the client's `Authorization`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Token {
    /// The service does not see it.
    #[default]
    Strip,
    /// The service gets it as it came.
    Forward,
}
