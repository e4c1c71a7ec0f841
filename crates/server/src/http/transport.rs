//! Nothing secret over a wire that anybody can read: plain HTTP is for loopback and for the configured proxy.
//!
//! Spec: RFC 6749 §1.6 (TLS)

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;

use super::failure::Refusal;
use crate::app::App;
use carnet_listen::PeerAddr;

/// Refuses a request that came in plain from anybody but this machine or a trusted proxy.
pub async fn require_protected(State(app): State<App>, request: Request, next: Next) -> Response {
    let listen = &app.config.listen;
    let peer = request
        .extensions()
        .get::<PeerAddr>()
        .map(|peer| peer.0.ip().to_canonical());
    let trusted = |ip| listen.trusted_proxies.iter().any(|network| network.contains(ip));
    if listen.tls_key_file.is_some() || peer.is_some_and(|ip| ip.is_loopback() || trusted(ip)) {
        return next.run(request).await;
    }
    const REASON: &str = "this port takes requests from the TLS proxy alone; use the https address";
    Refusal::new(StatusCode::FORBIDDEN, "https_required", REASON).into_response()
}
