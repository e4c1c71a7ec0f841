//! One suite, every engine: each case runs on SQLite in memory, on SQLite in a file and on PostgreSQL.
//!
//! PostgreSQL is the server of `CARNET_TEST_POSTGRES` or one that the suite starts; without either it fails.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so by panicking"
)]

mod administrator;
mod audit;
mod bff_session;
mod browser;
mod client;
mod client_registration;
mod credential;
mod family;
mod logout_notice;
mod migration;
mod registry;
mod renewal;
mod revocation;
mod role;
mod rotation;
mod session;
mod signing_key;
mod statement;
mod sweep;
mod throttle;
mod ticket;
mod tls;
mod token_life;
mod user;
mod writer;

#[path = "../support/mod.rs"]
mod support;
