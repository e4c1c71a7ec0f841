//! `[device]`: how devices are connected.
//!
//! Spec: RFC 8628 §5.1

use serde::{Deserialize, Serialize};

/// `[device]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Device {
    /// Wrong codes that may be typed from one address (IPv6: one /64), and by one account from everywhere, within
    /// `login.throttle_window`.
    pub wrong_codes: u32,
}

impl Default for Device {
    fn default() -> Self {
        // A code has eight of twenty letters: five guesses hit a given one once in five thousand million times (§5.1).
        Self { wrong_codes: 5 }
    }
}
