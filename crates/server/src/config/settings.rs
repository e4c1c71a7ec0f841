//! Every knob, in the order an operator meets it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use carnet_jose::Algorithm;
use carnet_oauth::scope::ScopeSet;
use serde::{Deserialize, Serialize};

use super::authorization::Authorization;
use super::client::Client;
use super::client_registration::ClientRegistration;
use super::device::Device;
use super::pages::Pages;
use super::redis::Redis;
use super::resource::Resource;
use super::revocation_feed::RevocationFeed;
use super::service_clients::Services;
use super::trusted_issuer::TrustedIssuer;
use super::value::{ClaimSource, Issuer};
use carnet_listen::value::{Address, Listed, Network, Ttl};

/// The whole configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who signs: the public URL of this server.
    pub issuer: Issuer,
    /// Where it listens.
    #[serde(default)]
    pub listen: Listen,
    /// Where it remembers.
    #[serde(default)]
    pub storage: Storage,
    /// Signing keys and the master key that seals them.
    #[serde(default)]
    pub keys: Keys,
    /// Lifetimes and contents of tokens.
    #[serde(default)]
    pub tokens: Tokens,
    /// Tokens that are bound to a client's key.
    #[serde(default)]
    pub dpop: Dpop,
    /// Logging in, registering, logging out.
    #[serde(default)]
    pub login: Login,
    /// How requests for codes may come.
    #[serde(default)]
    pub authorization: Authorization,
    /// How devices are connected.
    #[serde(default)]
    pub device: Device,
    /// How resource servers follow what is taken back.
    #[serde(default)]
    pub revocation_feed: RevocationFeed,
    /// Where services that do not follow the feed look.
    #[serde(default)]
    pub redis: Redis,
    /// Password hashing and strength.
    #[serde(default)]
    pub passwords: Passwords,
    /// What is logged, and how.
    #[serde(default)]
    pub log: Log,
    /// The pages for people.
    #[serde(default)]
    pub pages: Pages,
    /// Where this server goes by itself: to the addresses that clients have registered.
    #[serde(default)]
    pub outbound: Outbound,
    /// Clients that register themselves.
    #[serde(default)]
    pub client_registration: ClientRegistration,
    /// How services learn whose keys count.
    #[serde(default)]
    pub services: Services,
    /// The built-in public client `first-party`.
    #[serde(default)]
    pub first_party: FirstParty,
    /// Clients of the login API and of the OAuth endpoints. More are registered with `carnet client add`.
    #[serde(default)]
    pub clients: Vec<Client>,
    /// The APIs that tokens are for.
    #[serde(default)]
    pub resources: Vec<Resource>,
    /// Who else may say who a user is.
    #[serde(default)]
    pub trusted_issuers: Vec<TrustedIssuer>,
}

/// `[listen]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// Address and port, or a unix socket: `unix:` and its path.
    pub address: Address,
    /// PEM certificate chain; TLS is on when this and `tls_key_file` are given.
    pub tls_certificate_file: Option<PathBuf>,
    /// PEM private key, mode 0600.
    pub tls_key_file: Option<PathBuf>,
    /// A plain port that sends pages to https and refuses everything else.
    pub redirect_address: Option<SocketAddr>,
    /// Proxies whose `forwarded_header` is believed: their networks, and `unix` for who comes over a unix socket.
    pub trusted_proxies: Vec<Listed>,
    /// The header in which they name the caller. The other one is the caller's own word, and is not read.
    pub forwarded_header: ForwardedHeader,
    /// Connections at the same time.
    pub max_connections: usize,
    /// Connections from one address (IPv6: one /64; everybody at a unix socket) at the same time; trusted proxies have no such limit.
    pub max_connections_per_address: usize,
    /// How long open requests may take to finish at shutdown.
    pub shutdown_grace: Ttl,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: Address::Tcp(SocketAddr::from(([127, 0, 0, 1], 8080))),
            tls_certificate_file: None,
            tls_key_file: None,
            redirect_address: None,
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::XForwardedFor,
            max_connections: 10_000,
            max_connections_per_address: 500,
            shutdown_grace: Ttl::seconds(10),
        }
    }
}

/// In which header a proxy says for whom it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`: what nginx, Caddy, Traefik, HAProxy and the clouds write.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// `[storage]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// The SQLite file, made on first start.
    pub sqlite_file: PathBuf,
    /// A file, mode 0600, with the `postgres://` URL; when given, PostgreSQL is used.
    pub postgres_url_file: Option<PathBuf>,
    /// PEM certificates that the PostgreSQL server's chain must lead to; the system's when not given.
    pub postgres_root_certificates_file: Option<PathBuf>,
    /// Connections for reading PostgreSQL.
    pub postgres_pool: usize,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            sqlite_file: PathBuf::from("carnet.db"),
            postgres_url_file: None,
            postgres_root_certificates_file: None,
            postgres_pool: 16,
        }
    }
}

/// `[keys]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    /// The master key, made with mode 0600 on first start.
    pub master_key_file: PathBuf,
    /// One active key is kept for each.
    pub algorithms: Vec<Algorithm>,
    /// How old an active key may become before the next one takes over.
    pub rotate_every: Ttl,
    /// How long anybody may cache the JWKS; a new key is published at least this long before it signs.
    pub jwks_max_age: Ttl,
    /// What clocks may differ; added to the time a key is published before it signs and after it stops.
    pub clock_skew: Ttl,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            master_key_file: PathBuf::from("carnet-master.key"),
            algorithms: vec![Algorithm::Es256],
            rotate_every: Ttl::days(90),
            jwks_max_age: Ttl::minutes(10),
            clock_skew: Ttl::seconds(60),
        }
    }
}

/// `[tokens]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tokens {
    /// Life of an access token.
    pub access_ttl: Ttl,
    /// A family ends when it has not been refreshed for this long.
    pub refresh_idle: Ttl,
    /// A family ends this long after the login, whatever happens.
    pub refresh_absolute: Ttl,
    /// How long the token before the newest may be presented again (an honest retry); `0s` is strict.
    pub refresh_grace: Ttl,
    /// Further claims of access tokens and where each comes from.
    pub claims: BTreeMap<String, ClaimSource>,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            access_ttl: Ttl::minutes(15),
            refresh_idle: Ttl::days(7),
            refresh_absolute: Ttl::days(30),
            refresh_grace: Ttl::seconds(10),
            claims: BTreeMap::new(),
        }
    }
}

/// `[dpop]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dpop {
    /// Whether a DPoP proof must carry a nonce of ours, so that none can be made in advance. A client's first request costs a second one.
    pub require_nonce: bool,
}

impl Default for Dpop {
    fn default() -> Self {
        Self { require_nonce: true }
    }
}

/// `[login]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Login {
    /// Whether strangers may register.
    pub registration: Registration,
    /// What a logout ends.
    pub logout_strength: LogoutStrength,
    /// The window of the limits below.
    pub throttle_window: Ttl,
    /// Attempts on one account from one address.
    pub attempts_per_account_and_address: u32,
    /// Attempts on one account from everywhere; a device that has logged in before is exempt.
    pub attempts_per_account: u32,
    /// Attempts from one address (IPv6: one /64) on all accounts together.
    pub attempts_per_address: u32,
}

impl Default for Login {
    fn default() -> Self {
        Self {
            registration: Registration::Closed,
            logout_strength: LogoutStrength::Denylist,
            throttle_window: Ttl::minutes(15),
            attempts_per_account_and_address: 10,
            attempts_per_account: 100,
            attempts_per_address: 100,
        }
    }
}

/// Whether strangers may register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Only the operator makes accounts.
    Closed,
    /// Anybody may make an account.
    Open,
}

/// What a logout ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogoutStrength {
    /// The cookie only: the tokens live on until they expire. A logout everywhere ends the user's families all the same.
    Cookie,
    /// The session and its refresh family; access tokens live until they expire.
    Refresh,
    /// The session, its family and, at once, its access tokens.
    Denylist,
}

/// `[passwords]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Passwords {
    /// argon2id memory.
    pub memory_kib: u32,
    /// argon2id passes.
    pub iterations: u32,
    /// argon2id lanes.
    pub parallelism: u32,
    /// Hashing threads; 0 means one a core.
    pub threads: usize,
    /// Requests that may wait for a hashing thread before others are told to come back later.
    pub queue: usize,
    /// zxcvbn's score that a new password must reach, 0 to 4.
    pub min_strength: u8,
    /// A text file of passwords that are refused, one a line.
    pub breached_list_file: Option<PathBuf>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            iterations: 2,
            parallelism: 1,
            threads: 0,
            queue: 128,
            min_strength: 3,
            breached_list_file: None,
        }
    }
}

/// `[log]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// JSON lines, or text for people.
    pub format: LogFormat,
    /// A level, or directives such as `info,carnet_store=debug`.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Json,
            level: "info".to_owned(),
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Words for people.
    Text,
}

/// `[outbound]`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Outbound {
    /// Networks that are not public and may be asked all the same.
    pub allowed_networks: Vec<Network>,
    /// PEM certificates that are trusted beside the system's.
    pub root_certificates_file: Option<PathBuf>,
}

/// `[first_party]`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FirstParty {
    /// The audience of tokens when a login names none; the first resource when empty.
    pub audience: Option<String>,
    /// The scopes that a login may ask for, and gets when it asks for none.
    pub scope: ScopeSet,
    /// Origins of browser apps that may call the login API with cookies.
    pub origins: Vec<String>,
}
