//! The gateway as clients and services see it: real sockets on both sides.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test panics to say that it failed"
)]

mod advisories;
mod advisories_headers;
mod advisories_messages;
mod behind;
mod bff;
mod caller;
mod docs;
mod forward;
mod forward_auth;
mod forward_auth_grpc;
mod forward_auth_settings;
mod harness;
mod limits;
mod lines;
mod log;
mod operation;
mod servers;
mod smuggling;
mod sockets;
mod spoofing;
mod streams;
mod upstream_tls;
