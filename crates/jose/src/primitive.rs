//! The door to bare cryptography for the rest of the house: it names no library.
//!
//! Hashes, MACs, derivation, sealing and randomness; each function names its document (FIPS 180-4, FIPS 202, RFC 2104, RFC 5869,
//! NIST SP 800-38D).

pub use crate::crypto::names::fill_name;
pub use crate::crypto::primitive::{
    HashName, Hasher, digest, fill_random, hkdf_sha256, hmac, hmac_sha256, open, seal, sha1, sha224, sha256,
    sha384, sha512, sha512_256, verify_equal,
};
