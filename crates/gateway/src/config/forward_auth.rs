//! `[forward_auth]`: which proxies may ask, and in which dialect.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use carnet_listen::value::{Address, Listed};
use serde::Deserialize;

/// `[forward_auth]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardAuth {
    /// Where proxies ask: address and port, or a unix socket. Clients must not reach it.
    #[serde(default = "next_door")]
    pub address: Address,
    /// Speaks TLS with the certificate of `[listen]`.
    #[serde(default)]
    pub tls: bool,
    /// The proxies that ask: nginx, caddy, traefik, haproxy, envoy, envoy-grpc.
    pub dialects: Vec<Dialect>,
    /// Networks from which they ask, and `unix` for who comes over a unix socket; this machine alone when absent, by both ways.
    #[serde(default = "this_machine")]
    pub peers: Vec<Listed>,
}

fn next_door() -> Address {
    Address::Tcp(SocketAddr::from(([127, 0, 0, 1], 8082)))
}

fn this_machine() -> Vec<Listed> {
    let addresses = [Ipv4Addr::LOCALHOST.to_string(), Ipv6Addr::LOCALHOST.to_string()];
    let addresses = addresses.iter().filter_map(|address| address.parse().ok());
    addresses.chain([Listed::Unix]).collect()
}

/// How a proxy describes a request, and which answers it understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// `auth_request`: `X-Original-Method` and `X-Original-URL`; knows 2xx, 401 and 403.
    Nginx,
    /// `forward_auth`: `X-Forwarded-Method`, `-Proto`, `-Host` and `-Uri`.
    Caddy,
    /// `forwardAuth`: as Caddy.
    Traefik,
    /// A Lua action: `X-Original-Method`, `-Scheme`, `-Host` and `-Path`; passes every answer on.
    Haproxy,
    /// `ext_authz` over HTTP: the request itself, below a prefix.
    Envoy,
    /// `ext_authz` over gRPC: a message.
    EnvoyGrpc,
}
