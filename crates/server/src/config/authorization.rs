//! `[authorization]`: how requests for codes may come.
//!
//! Spec: RFC 9126 §5

use serde::{Deserialize, Serialize};

/// `[authorization]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Authorization {
    /// Whether every client has to push its requests (RFC 9126).
    pub require_pushed_authorization_requests: bool,
    /// Requests of people who are not signed in, pushed requests of public clients, and requests of each client's devices, from one
    /// address (IPv6: one /64) within `login.throttle_window`; and as many of one account that is signed in
    /// there, when a page has to go before the answer.
    pub requests_per_address: u32,
}

impl Default for Authorization {
    fn default() -> Self {
        Self {
            require_pushed_authorization_requests: false,
            requests_per_address: 1_000,
        }
    }
}
