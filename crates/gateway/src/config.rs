//! What the operator says, in one TOML file.
//!
//! Every key stands in docs/gateway.md. Unknown keys are refused.

pub mod bff;
mod followed;
mod forward_auth;
mod tokens;
mod traffic;

use std::net::SocketAddr;
use std::path::PathBuf;

use carnet_listen::tls_pair::TlsFiles;
use carnet_listen::value::{Address, Listed, Ttl};
use serde::Deserialize;

use crate::identity::Encode;

pub use followed::{Followed, Lost, SHORTEST_AFTER};
pub use forward_auth::{Dialect, ForwardAuth};
pub use tokens::{
    CertificateHeader, ClaimPath, ClaimRule, ClientCertificates, Introspection, Services, Spiffe, TrustDomain,
};
pub use traffic::{AtExpiry, Balance, Cors, Protocol, RateLimit, Route, RouteExchange, Token, Upstream};

/// The whole file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the gateway listens.
    #[serde(default)]
    pub listen: Listen,
    /// A listener of its own for operators: metrics and health. None when absent.
    pub admin: Option<Admin>,
    /// What goes to the log.
    #[serde(default)]
    pub log: Log,
    /// Whose tokens are believed, and for whom they must be meant.
    #[serde(default)]
    pub tokens: Tokens,
    /// Issuers of tokens.
    #[serde(default)]
    pub issuers: Vec<Issuer>,
    /// Services that call with tokens of their own; none when absent.
    pub services: Option<Services>,
    /// Workloads of SPIFFE trust domains that call with JWT-SVIDs; none when absent.
    pub spiffe: Option<Spiffe>,
    /// Which headers only the gateway may say.
    #[serde(default)]
    pub headers: Headers,
    /// Claims, and the headers that carry them to the services. `X-User-ID` and `X-User-Roles` when absent.
    #[serde(default = "Identity::usual")]
    pub identity: Vec<Identity>,
    /// Signs who asks, for services that do not believe headers.
    pub assertion: Option<Assertion>,
    /// Where tokens are exchanged, for routes that say so.
    pub exchange: Option<Exchange>,
    /// Proxies that ask whether a request may pass.
    pub forward_auth: Option<ForwardAuth>,
    /// The services behind the gateway.
    #[serde(default)]
    pub upstreams: Vec<Upstream>,
    /// An app in browsers whose tokens the gateway keeps.
    pub bff: Option<bff::Bff>,
    /// Which request goes where, and what it needs.
    #[serde(default)]
    pub routes: Vec<Route>,
}

/// `[listen]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// Address and port, or a unix socket: `unix:` and its path.
    pub address: Address,
    /// The TLS certificate and its chain in PEM; plain HTTP without it. Read again when it changes.
    pub tls_certificate_file: Option<PathBuf>,
    /// Its private key in PEM, readable by its owner alone.
    pub tls_key_file: Option<PathBuf>,
    /// Asks clients for a certificate, for tokens that are bound to one (RFC 8705). They may show any one, or none.
    pub client_certificates: bool,
    /// Networks of proxies in front, and `unix` for who comes over a unix socket: their X-Forwarded-For, -Proto and -Host are believed, nobody
    /// else's.
    pub trusted_proxies: Vec<Listed>,
    /// Connections at the same time; more wait.
    pub max_connections: usize,
    /// Connections from one address, or over the unix socket, at the same time; more are closed. Trusted proxies have no such limit.
    pub max_connections_per_address: usize,
    /// The most bytes of a request's head; 100 headers at most in any case.
    pub max_head_bytes: usize,
    /// How long open requests may take to finish at shutdown.
    pub shutdown_grace: Ttl,
}

impl Listen {
    /// The certificate and its key, where TLS is spoken.
    pub fn tls(&self) -> Option<TlsFiles> {
        let files = self.tls_certificate_file.clone().zip(self.tls_key_file.clone());
        files.map(|(certificate, key)| TlsFiles { certificate, key })
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: Address::Tcp(SocketAddr::from(([127, 0, 0, 1], 8081))),
            tls_certificate_file: None,
            tls_key_file: None,
            client_certificates: false,
            trusted_proxies: Vec::new(),
            max_connections: 10_000,
            max_connections_per_address: 500,
            max_head_bytes: 64 * 1024,
            shutdown_grace: Ttl::seconds(10),
        }
    }
}

/// `[admin]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Address and port, or a unix socket, where only operators reach it: it speaks plain HTTP and asks nobody for a token.
    pub address: Address,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// error, warn, info, debug or trace; or directives such as "info,carnet_gateway=debug".
    pub level: String,
    /// One JSON object a line, rather than text.
    pub json: bool,
    /// A line for each request: never with a query, a header or a token.
    pub access: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            json: false,
            access: true,
        }
    }
}

/// `[tokens]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tokens {
    /// What a token's `aud` must name; a route may say another.
    pub audience: Option<String>,
    /// Where callers find the gateway, for tokens that are bound to a key (RFC 9449); the audience when that is a URL.
    pub public_url: Option<String>,
    /// How far clocks may be apart.
    pub leeway: Ttl,
    /// PEM certificates that are trusted as well when issuers are asked.
    pub root_certificates_file: Option<PathBuf>,
    /// A folder in which fetched keys are kept, for a start while an issuer is down: for a day. Whoever may write there can forge tokens.
    pub key_folder: Option<PathBuf>,
    /// Proxies in front that end TLS and tell which certificate a client has shown; nobody is believed when absent.
    pub client_certificates: Option<ClientCertificates>,
    /// Tells clients that are refused who issues tokens (RFC 9728), where the audience or `public_url` is a URL.
    pub metadata: bool,
    /// How many tokens that are not valid an address may show; more are answered 429. Valid ones are let through all the same.
    pub failure_limit: RateLimit,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            audience: None,
            public_url: None,
            leeway: Ttl::seconds(30),
            root_certificates_file: None,
            key_folder: None,
            client_certificates: None,
            metadata: true,
            failure_limit: RateLimit {
                requests: 60,
                per: Ttl::minutes(1),
                burst: None,
            },
        }
    }
}

/// `[[issuers]]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// Compared with `iss` byte for byte; its metadata names its keys when nothing below does.
    pub issuer: String,
    /// Its keys, when it has no metadata.
    pub jwks_url: Option<String>,
    /// Its keys, when it is not to be asked.
    pub jwks_file: Option<PathBuf>,
    /// The algorithms that it may use; every signature of the JOSE registry when empty.
    #[serde(default)]
    pub algorithms: Vec<String>,
    /// Takes tokens that do not follow RFC 9068.
    #[serde(default)]
    pub plain_jwt: bool,
    /// Asks the issuer about each token; its keys are needed all the same, unless its tokens are opaque.
    pub introspection: Option<Introspection>,
    /// Follows what it takes back, so that a token that was taken back is refused before it expires.
    pub revocations: Option<Followed>,
}

/// `[headers]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Headers {
    /// Names, and beginnings of names with a star at the end, that no client may send: beside those in `[[identity]]` and all that are built in.
    pub reserved: Vec<String>,
    /// Names, of those that are built in, that clients may send all the same: what says where a request came from, never who asks.
    pub allow: Vec<String>,
    /// What happens to a request that has one that says who asks.
    pub spoofed: Spoofed,
    /// Cookies that no service gets or sets, such as the session of the authorization server on the same host.
    pub own_cookies: Vec<String>,
}

/// What happens to a request with a header that only the gateway may say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spoofed {
    /// The header is taken out.
    #[default]
    Strip,
    /// The request is answered 400.
    Refuse,
}

/// `[[identity]]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The header.
    pub name: String,
    /// The claim; inside objects by dots.
    pub claim: String,
    /// What stands between the elements of an array.
    #[serde(default = "comma")]
    pub join: String,
    /// What is said when the token has no such claim.
    pub default: Option<String>,
    /// percent, base64 or none.
    #[serde(default)]
    pub encode: Encode,
}

fn comma() -> String {
    ",".to_owned()
}

impl Identity {
    fn usual() -> Vec<Self> {
        let header = |name: &str, claim: &str| Self {
            name: name.to_owned(),
            claim: claim.to_owned(),
            join: comma(),
            default: None,
            encode: Encode::Percent,
        };
        vec![header("X-User-ID", "sub"), header("X-User-Roles", "roles")]
    }
}

/// `[assertion]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// The `iss` of the assertions: the gateway's own URL.
    pub issuer: String,
    /// The private key: EC, P-256, PKCS#8 PEM, readable by its owner alone.
    pub key_file: PathBuf,
    /// Keys that are published as well and sign nothing: the next one, or the one before.
    #[serde(default)]
    pub other_key_files: Vec<PathBuf>,
    /// Claims that services get beside the usual ones.
    #[serde(default)]
    pub claims: Vec<String>,
    /// How long an assertion may be believed; 60s at most.
    #[serde(default = "minute")]
    pub lifetime: Ttl,
}

const fn minute() -> Ttl {
    Ttl::seconds(60)
}

/// `[exchange]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// The token endpoint of the authorization server.
    pub token_url: String,
    /// The gateway's name there.
    pub client_id: String,
    /// The file with its secret, readable by its owner alone.
    pub client_secret_file: PathBuf,
}
