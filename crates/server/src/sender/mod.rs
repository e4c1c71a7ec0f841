//! Is a token bound to a key, and does the sender of a request hold that key?
//!
//! Spec: RFC 9449

mod dpop;
mod nonce;

pub(crate) use dpop::{algorithms, challenge, key_at_token_endpoint, key_if_proven, proves_key_at_resource};
pub(crate) use nonce::{Place, give};
