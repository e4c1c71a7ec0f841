//! Passwords: what may be set, how they are hashed, and how a login is checked.
//!
//! Spec: RFC 9106 (argon2id) · NIST SP 800-63B §3.1.1

mod bench;
mod breached;
mod derivation;
mod policy;
mod pool;
mod queue;
mod refused;
mod stored;
mod typed;
mod verdict;

pub use breached::BreachedList;
pub use policy::Policy;
pub use pool::{Hasher, HasherError, PasswordConfig};
pub use queue::Overloaded;
pub use refused::PasswordRefused;
pub use stored::check_importable;
pub use typed::Password;
pub use verdict::Verdict;

#[cfg(test)]
mod tests;
