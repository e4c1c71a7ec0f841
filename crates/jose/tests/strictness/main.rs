//! The strictness list: each refusal is a test, named after its row of the attack catalogue where it has one.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says so by panicking"
)]

mod cache;
mod claims;
mod fixture;
mod formats;
mod header;
mod keys;
mod known_headers;
mod signatures;
