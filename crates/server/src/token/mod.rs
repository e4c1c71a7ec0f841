//! What we hand out and take back: codes, device codes, access tokens, ID tokens, refresh tokens, and the device cookie.

pub mod access;
pub mod asked;
pub mod bearer;
pub mod bound;
pub mod code;
pub mod device_code;
pub mod granted;
pub mod id_token;
pub mod known_device;
pub mod login;
pub mod refresh;
pub mod rotation;
pub mod user_claims;
