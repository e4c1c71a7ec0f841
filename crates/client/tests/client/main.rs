//! An authorization server as the client meets it: a real one, on a port of its own, that does what a test tells it to.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod discovery;
mod dpop;
mod files;
mod introspection;
mod kept;
mod keys;
mod pretended;
mod revocations;
mod service_signer;
mod sick_keys;
