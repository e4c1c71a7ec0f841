//! Passwords: what may be set, how they are hashed, and how a login is checked.
//!
//! Spec: RFC 9106 (argon2id) · NIST SP 800-63B §3.1.1

mod breached;
mod derivation;
mod pool;
mod stored;
mod strength;
mod typed;

pub use breached::BreachedList;
pub use pool::{Hasher, HasherError, Overloaded, PasswordConfig, Verdict};
pub use stored::check_importable;
pub use strength::{PasswordPolicy, PasswordRefused};
pub use typed::Password;

#[cfg(test)]
mod tests;
