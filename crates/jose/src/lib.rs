//! Keys, signatures and JSON Web Tokens: strict, fast, without clock, network or async.
//!
//! A [`Verifier`] is a policy that was decided before the first token came; a [`Signer`] is a key and a header. `none` cannot be written down.

#![deny(clippy::indexing_slicing)]

mod algorithm;
pub mod base64url;
mod crypto;
pub mod dangerous;
mod error;
pub mod json;
mod jwk;
mod jwk_set;
mod jws;
mod jwt;
mod key;
pub mod primitive;
mod thumbprint;

pub use algorithm::{Algorithm, alg};
pub use error::Error;
pub use jwk::Jwk;
pub use jwk_set::{
    KeySet, KeySource, MAX_KEY_ID_BYTES, MAX_SET_BYTES, MAX_SET_KEYS, ParsedKeySet, RotatingKeys, SkippedKey,
};
pub use jws::{MAX_HEADER_BYTES, MAX_TOKEN_BYTES};
pub use jwt::{
    Audiences, CachedVerifier, Registered, Scratch, Signer, TokenType, Verified, Verifier, VerifierBuilder,
};
pub use key::{AnySigningKey, AnyVerifyingKey, SigningKey, VerifyingKey};
