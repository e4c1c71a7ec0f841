//! A guarded API as callers meet it, and its issuer as the guard meets it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod api;
mod dpop;
mod issuers;
mod keys;
mod memory;
mod refusals;
mod rights;
