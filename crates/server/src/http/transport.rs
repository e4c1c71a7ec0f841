//! Nothing secret over a wire that anybody can read: plain HTTP is for loopback and for the configured proxy.
//!
//! Spec: RFC 6749 §1.6 (TLS)

use axum::extract::Request;
use http::StatusCode;

use super::failure::Refusal;
use crate::config::Listen;
use carnet_listen::PeerAddr;

/// The refusal of a request that came in plain from anybody but this machine or a trusted proxy.
pub fn unprotected(request: &Request, listen: &Listen) -> Option<Refusal> {
    let peer = request
        .extensions()
        .get::<PeerAddr>()
        .map(|peer| peer.0.ip().to_canonical());
    let trusted = |ip| listen.trusted_proxies.iter().any(|network| network.contains(ip));
    if listen.tls_key_file.is_some() || peer.is_some_and(|ip| ip.is_loopback() || trusted(ip)) {
        return None;
    }
    const REASON: &str = "this port takes requests from the TLS proxy alone; use the https address";
    Some(Refusal::new(StatusCode::FORBIDDEN, "https_required", REASON))
}
