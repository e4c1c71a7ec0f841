//! A Redis or Valkey server that a configuration names.
//!
//! Spec: RFC 3986 §3 (the URL)

use std::net::IpAddr;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisError,
    TlsCertificates,
};
use url::Url;

/// A server, by its URL. Nothing is asked of it yet.
#[derive(Clone)]
pub struct RedisServer(Client);

impl RedisServer {
    /// `redis://`, `rediss://` or `unix://`. With TLS its chain must lead to these certificates (PEM), or to the system's.
    ///
    /// # Errors
    /// What is wrong, without the URL: it has a password.
    pub fn named(url: &str, roots: Option<Vec<u8>>) -> Result<Self, String> {
        let info = parse(url)?;
        let client = match roots {
            Some(roots) if is_tls(&info) => {
                let certificates = TlsCertificates {
                    client_tls: None,
                    root_cert: Some(roots),
                };
                Client::build_with_tls(info, certificates)
                    .map_err(|_| "has no usable certificates to trust")?
            }
            _ => Client::open(info).map_err(|_| "names no server that can be reached")?,
        };
        Ok(Self(client))
    }

    /// Whether it is on another machine and nothing encrypts what is said to it.
    pub fn is_unprotected(&self) -> bool {
        match self.0.get_connection_info().addr() {
            ConnectionAddr::Tcp(host, _) => {
                let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
                host != "localhost" && !address.is_ok_and(|address| address.is_loopback())
            }
            _ => false,
        }
    }

    /// Connects, for no longer than a second; no answer takes longer than two.
    pub async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER));
        self.0.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Whatever else can be done with it.
    pub fn client(&self) -> &Client {
        &self.0
    }
}

fn parse(url: &str) -> Result<ConnectionInfo, String> {
    let wrong = "is no redis://, rediss:// or unix:// URL";
    let url = Url::parse(url).map_err(|_| wrong)?;
    if !["redis", "rediss", "unix"].contains(&url.scheme()) {
        return Err(wrong.to_owned());
    }
    if url.fragment().is_some() {
        return Err("has a part behind #: certificates are checked, always".to_owned());
    }
    let refuse = |_| "names no host, or something that is no number as port or database".to_owned();
    url.into_connection_info().map_err(refuse)
}

fn is_tls(info: &ConnectionInfo) -> bool {
    matches!(info.addr(), ConnectionAddr::TcpTls { .. })
}

/// How long a connection may take.
pub const CONNECT: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_secs(2);

impl std::fmt::Debug for RedisServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisServer")
    }
}
