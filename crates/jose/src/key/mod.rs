//! Keys: each is bound to one algorithm when it is made, and cannot be used with another.
//!
//! Spec: RFC 8725 §3.1 (one key, one algorithm) · RFC 7518 §6

mod from_jwk;
mod pem;
mod public;
mod roca;
mod secret;
mod shared_secret;
mod small_order;
mod subject_public_key_info;
mod typed;

pub use public::AnyVerifyingKey;
pub use secret::AnySigningKey;
pub use typed::{SigningKey, VerifyingKey};
