//! What a listener is told.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use crate::tls_pair::TlsFiles;
use crate::value::{Address, Listed};

/// Where to listen, and how much a peer may ask of a connection.
#[derive(Clone, Debug)]
pub struct ListenConfig {
    /// Address and port, or the name of a unix socket.
    pub address: Address,
    /// TLS when given, plain HTTP otherwise.
    pub tls: Option<TlsFiles>,
    /// Asks clients for a certificate, when TLS is spoken. They need not show one, and may show any.
    pub client_certificates: bool,
    /// Peers that stand for many people: exempt from the cap for each address.
    pub trusted_proxies: Vec<Listed>,
    /// Connections at the same time; more wait in the system's queue.
    pub max_connections: usize,
    /// Connections from one address (IPv6: one /64; everybody at the unix socket) at the same time; more are closed.
    pub max_connections_per_address: usize,
    /// The most bytes of the head of a request; what is longer is answered 431.
    pub head_bytes: usize,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long the first request, or the head of an HTTP/1.1 request that has begun, may take to arrive.
    pub header_timeout: Duration,
    /// How long a connection may stay open between two requests.
    pub idle_timeout: Duration,
    /// How long an HTTP/1.1 connection keeps its buffers between two requests.
    pub rest_after: Duration,
    /// How long a peer may refuse to take what is sent to it.
    pub write_timeout: Duration,
    /// How long open requests may take to finish at shutdown.
    pub shutdown_grace: Duration,
    /// Whether clients may ask for another protocol over HTTP/2 (RFC 8441 §3).
    pub extended_connect: bool,
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self {
            address: Address::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)),
            tls: None,
            client_certificates: false,
            trusted_proxies: Vec::new(),
            max_connections: 10_000,
            max_connections_per_address: 500,
            head_bytes: 16 * 1024,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            rest_after: Duration::from_millis(250),
            write_timeout: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(10),
            extended_connect: false,
        }
    }
}
