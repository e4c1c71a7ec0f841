//! The built binary from outside, on both engines: `CARNET_BIN`, or the one that cargo built beside the tests.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so by panicking"
)]

mod apply;
mod behind_gateway;
mod bff;
mod first_user;
mod gateway;
mod interrupted;
mod log;
mod login;
mod oauth;
mod pages;
mod redis_keys;
mod revocation;
mod step_up;
mod support;
mod two_nodes;
mod two_services;
mod under_load;
mod web;
