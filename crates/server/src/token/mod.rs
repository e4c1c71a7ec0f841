//! What we hand out and take back: access tokens, refresh tokens, and the device cookie.

pub mod access;
pub mod bearer;
pub mod device;
pub mod refresh;

use std::time::Duration;

/// How far the clocks of our own nodes may be apart when we check our own tokens.
pub const OWN_LEEWAY: Duration = Duration::from_secs(5);
