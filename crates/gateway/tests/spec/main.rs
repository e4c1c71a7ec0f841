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
mod believed;
mod bff;
mod broken_bodies;
mod cables;
mod caller;
mod calling;
mod calling_streams;
mod certificates;
mod correlation;
mod docs;
mod followed;
mod forward;
mod forward_auth;
mod forward_auth_grpc;
mod forward_auth_refusals;
mod forward_auth_settings;
mod harness;
mod hops;
mod limits;
mod lines;
mod log;
mod metadata;
mod operation;
mod read_again;
mod refused_numbers;
mod refused_reloads;
mod refused_settings;
mod revocations;
mod revoked_streams;
mod rules;
mod servers;
mod smuggling;
mod sockets;
mod sockets_h2;
mod sockets_h2_connections;
mod sockets_tls;
mod spiffe;
mod spoofing;
mod status_table;
mod streams;
mod trace;
mod unix;
mod upstream_tls;
