//! Who is at the other end of a connection.

use std::net::SocketAddr;
use std::sync::Arc;

/// The address a connection came from, in the extensions of each of its requests: the last proxy's, when there are
/// proxies. An IPv4 address is never written as IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

impl PeerAddr {
    pub(super) fn of(address: SocketAddr) -> Self {
        Self(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }
}

/// The certificate that the other end has shown, in DER, in the extensions of each request of the connection. Its key is theirs; who signed it
/// was not asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate(pub Arc<[u8]>);
