//! JSON Web Tokens: signing, and checking by a policy that was decided before any token came.
//!
//! Spec: RFC 7519 · RFC 8725

mod claims;
mod policy;
mod sign;
mod token_type;
mod verify;

pub use claims::Registered;
pub use policy::VerifierBuilder;
pub use sign::Signer;
pub use token_type::TokenType;
pub use verify::{Scratch, Verified, Verifier};
