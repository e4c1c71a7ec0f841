//! The server through its real router, with a clock that stands still: a file per module, a test per sentence.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on says so by panicking"
)]

mod bad_input;
mod cookies;
mod discovery;
mod harness;
mod introspection;
mod keys;
mod login;
mod logout;
mod me;
mod password;
mod refresh;
mod register;
mod throttle;
