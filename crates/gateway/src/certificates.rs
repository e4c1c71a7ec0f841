//! The certificate that a client has shown to the proxy in front of the gateway, for tokens that are bound to one.
//!
//! Spec: RFC 8705 §3 · RFC 9440 §2.4, §3 (the header is a proxy's alone)

use carnet_guard::{CertificateHeader, PeerAddress, UnixPeer};
use carnet_listen::PeerAddr;
use carnet_listen::value::Listed;
use http::request::Parts;
use http::{HeaderName, HeaderValue};

use crate::config;

/// Which proxies tell it, and how.
#[derive(Clone, Debug)]
pub struct Certificates {
    header: HeaderName,
    from: Vec<Listed>,
}

/// What a proxy has told of a certificate, while everything that proxies say is taken out of a request.
pub(crate) struct Told(Vec<HeaderValue>);

impl Certificates {
    pub(crate) fn new(config: &config::ClientCertificates) -> Self {
        Self {
            header: match config.header {
                config::CertificateHeader::ClientCert => HeaderName::from_static("client-cert"),
                config::CertificateHeader::XForwardedClientCert => {
                    HeaderName::from_static("x-forwarded-client-cert")
                }
            },
            from: config.from.clone(),
        }
    }

    /// What this peer tells, when it is one of those proxies.
    pub(crate) fn told(&self, peer: PeerAddr, parts: &Parts) -> Option<Told> {
        let believed = self.from.iter().any(|listed| listed.includes(peer));
        let values = parts.headers.get_all(&self.header).iter().cloned();
        believed.then(|| Told(values.collect()))
    }

    /// Whether it is by this header that this peer tells it.
    pub(crate) fn is_told_by(&self, peer: PeerAddr, name: &HeaderName) -> bool {
        self.header == *name && self.from.iter().any(|listed| listed.includes(peer))
    }

    /// For the check of the token: from this peer, and nothing but what was told.
    pub(crate) fn show(&self, told: Told, peer: PeerAddr, parts: &mut Parts) {
        name_peer(peer, parts);
        for value in told.0 {
            parts.headers.append(&self.header, value);
        }
    }

    /// After it: no service gets it.
    pub(crate) fn hide(&self, parts: &mut Parts) {
        parts.headers.remove(&self.header);
    }
}

/// Says to the guard who is at the other end.
pub(crate) fn name_peer(peer: PeerAddr, parts: &mut Parts) {
    match peer.ip() {
        Some(address) => drop(parts.extensions.insert(PeerAddress(address))),
        None => drop(parts.extensions.insert(UnixPeer)),
    }
}

/// How the guard calls the header, and whom it believes.
pub(crate) fn of_guard(config: &config::ClientCertificates) -> (CertificateHeader, Vec<String>) {
    let header = match config.header {
        config::CertificateHeader::ClientCert => CertificateHeader::ClientCert,
        config::CertificateHeader::XForwardedClientCert => CertificateHeader::XForwardedClientCert,
    };
    (header, config.from.iter().map(ToString::to_string).collect())
}
