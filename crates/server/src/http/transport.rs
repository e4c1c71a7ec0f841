//! Nothing secret over a wire that anybody can read: plain HTTP is for this machine and for the configured proxy.
//!
//! Spec: RFC 6749 §1.6 (TLS)

use axum::extract::Request;
use http::StatusCode;

use super::failure::Refusal;
use crate::config::Listen;
use carnet_listen::PeerAddr;

/// The refusal of a request that came in plain from anybody but this machine or a trusted proxy.
pub fn unprotected(request: &Request, listen: &Listen) -> Option<Refusal> {
    let peer = request.extensions().get::<PeerAddr>().copied();
    let here = |peer: PeerAddr| peer.ip().is_none_or(|ip| ip.to_canonical().is_loopback());
    let trusted = |peer| listen.trusted_proxies.iter().any(|listed| listed.includes(peer));
    if listen.tls_key_file.is_some() || peer.is_some_and(|peer| here(peer) || trusted(peer)) {
        return None;
    }
    const REASON: &str = "this port takes requests from the TLS proxy alone; use the https address";
    Some(Refusal::new(StatusCode::FORBIDDEN, "https_required", REASON))
}
