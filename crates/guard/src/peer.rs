//! Who is at the other end of the connection: never what a header says of it.
//!
//! Spec: RFC 4632 §3.1 (networks) · RFC 4291 §2.5.5.2 (IPv4 written as IPv6)

use std::net::IpAddr;

use http::request::Parts;
use ipnet::IpNet;

/// The address that a request came from, for servers that are not axum's: in the extensions of each request. axum's own
/// `ConnectInfo<SocketAddr>` is looked at as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress(pub IpAddr);

/// A request that came over a unix socket: whoever can open the socket is at the other end. In the extensions of each request, or as axum's
/// connect info:
///
/// ```no_run
/// # async fn serve(app: axum::Router) -> std::io::Result<()> {
/// use carnet_guard::UnixPeer;
///
/// let listener = tokio::net::UnixListener::bind("/run/orders/socket")?;
/// axum::serve(listener, app.into_make_service_with_connect_info::<UnixPeer>()).await
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnixPeer;

#[cfg(all(feature = "axum", unix))]
impl axum::extract::connect_info::Connected<axum::serve::IncomingStream<'_, tokio::net::UnixListener>>
    for UnixPeer
{
    fn connect_info(_: axum::serve::IncomingStream<'_, tokio::net::UnixListener>) -> Self {
        Self
    }
}

/// The address behind a request; `None` when nobody has said it, or when there is none.
pub(crate) fn address(request: &Parts) -> Option<IpAddr> {
    let named = request.extensions.get::<PeerAddress>().map(|peer| peer.0);
    #[cfg(feature = "axum")]
    let named = named.or_else(|| {
        let connected = request
            .extensions
            .get::<axum::extract::ConnectInfo<std::net::SocketAddr>>();
        connected.map(|connected| connected.0.ip())
    });
    named.map(|address| address.to_canonical())
}

/// Whether a request came over a unix socket.
fn is_unix(request: &Parts) -> bool {
    let named = request.extensions.get::<UnixPeer>().is_some();
    #[cfg(feature = "axum")]
    let named = named
        || request
            .extensions
            .get::<axum::extract::ConnectInfo<UnixPeer>>()
            .is_some();
    named
}

/// Peers whose word counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peers {
    networks: Vec<IpNet>,
    unix: bool,
}

impl Peers {
    /// Addresses and networks, and `unix` for everybody who can open our socket.
    pub(crate) fn read(texts: &[String]) -> Result<Self, String> {
        let (unix, networks): (Vec<_>, Vec<_>) = texts.iter().partition(|text| *text == UNIX);
        let networks = networks.iter().map(|text| {
            let network = text.parse::<IpNet>();
            let alone = || text.parse::<IpAddr>().map(IpNet::from);
            network
                .or_else(|_| alone())
                .map_err(|_| format!("{text:?} is no address and no network"))
        });
        Ok(Self {
            networks: networks.collect::<Result<_, _>>()?,
            unix: !unix.is_empty(),
        })
    }

    /// As [`Peers::read`]. Nobody at all is no list, and everybody neither.
    pub(crate) fn read_some(texts: &[String]) -> Result<Self, String> {
        let peers = Self::read(texts)?;
        if texts.is_empty() {
            return Err("names nobody: name the addresses of the gateway".to_owned());
        }
        if let Some(all) = peers.networks.iter().find(|network| network.prefix_len() == 0) {
            return Err(format!("{all} is everybody: name the addresses of the gateway"));
        }
        Ok(peers)
    }

    fn includes(&self, peer: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&peer))
    }

    /// Whether a request came from one of them; `None` when nobody knows whom it came from.
    pub(crate) fn sent(&self, request: &Parts) -> Option<bool> {
        match address(request) {
            Some(peer) => Some(self.includes(peer)),
            None => is_unix(request).then_some(self.unix),
        }
    }
}

/// Everybody who can open our unix socket, in a list of peers.
const UNIX: &str = "unix";

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(texts: &[&str]) -> Result<Peers, String> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        Peers::read_some(&texts)
    }

    #[test]
    fn a_list_of_nobody_or_of_everybody_is_no_list() {
        for wrong in [
            &[][..],
            &["0.0.0.0/0"],
            &["10.0.0.1", "::/0"],
            &["localhost"],
            &["10.0.0.0/33"],
            &["Unix"],
            &[""],
        ] {
            assert!(peers(wrong).is_err(), "{wrong:?}");
        }
        assert!(peers(&["unix"]).is_ok());
        assert!(peers(&["10.0.0.0/8", "fd00::/8", "unix"]).is_ok());
    }

    #[test]
    fn a_network_is_of_one_family() {
        let peers = peers(&["10.0.0.0/8"]).unwrap();
        assert!(peers.includes("10.1.2.3".parse().unwrap()));
        assert!(!peers.includes("11.0.0.1".parse().unwrap()));
        assert!(!peers.includes("::1".parse().unwrap()));
    }
}
