//! What we hand out and take back: access tokens, refresh tokens, and the device cookie.

pub mod access;
pub mod bearer;
pub mod device;
pub mod refresh;
