//! JSON Web Tokens: signing, and checking by a policy that was decided before any token came.
//!
//! Spec: RFC 7519 · RFC 8725

mod builder;
mod cache;
mod claim;
mod claims;
mod known_header;
mod policy;
mod possession;
mod reading;
mod sign;
mod token_type;
mod verify;

pub use builder::VerifierBuilder;
pub use cache::{Accepted, CachedVerifier};
pub use claims::{Audiences, Registered, Times};
pub use possession::Possession;
pub use sign::Signer;
pub use token_type::TokenType;
pub use verify::{Scratch, Verified, Verifier};
