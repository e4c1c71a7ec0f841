//! Keys, signatures and JSON Web Tokens: strict, fast, without clock, network or async.
//!
//! A [`Verifier`] is a policy that was decided before the first token came; a [`Signer`] is a key and a header. `none` cannot be
//! written down.
//!
//! Each item names the section of the specification that it follows; what follows none says that it is our own. Times are seconds since
//! 1970, lengths are bytes, and what is refused is an [`Error`] with a stable code.
//!
//! Tokens of an issuer, checked with the JWKS that it publishes:
//!
//! ```
//! use std::sync::Arc;
//! use carnet_jose::{Algorithm, Error, KeySet, TokenType, Verifier};
//!
//! let jwks = br#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
//! let algorithms = [Algorithm::Ed25519, Algorithm::Es256];
//! let verifier = Verifier::builder(Arc::new(KeySet::from_jwks_json(jwks, &algorithms)?.set))
//!     .algorithms(&algorithms)
//!     .token_type(TokenType::AccessToken)
//!     .issuer("https://auth.example.com")
//!     .audience("https://api.example.com")
//!     .build()?;
//! let now = 1_700_000_000;
//! let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.";
//! assert_eq!(verifier.verify_owned::<serde_json::Value>(unsigned, now).unwrap_err(), Error::AlgorithmNotAllowed);
//! # Ok::<(), Error>(())
//! ```

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
    Accepted, Audiences, CachedVerifier, Possession, Registered, Scratch, Signer, Times, TokenType, Verified,
    Verifier, VerifierBuilder,
};
pub use key::{AnySigningKey, AnyVerifyingKey, SigningKey, VerifyingKey};
