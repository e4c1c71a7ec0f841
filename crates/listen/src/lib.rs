//! The door: sockets, TLS, limits, and down again without cutting anybody off.
//!
//! Spec: RFC 9112 (HTTP/1.1) · RFC 9113 (HTTP/2) · RFC 8441 (extended CONNECT) · RFC 8446 (TLS 1.3)

mod answers;
mod client_certificate;
mod config;
pub mod config_line;
mod connection;
mod conversation;
mod crowd;
mod desk;
mod framing;
mod listener;
mod log_filter;
mod peer;
mod phase;
mod pulse;
pub mod redirect;
pub mod secret_file;
mod socket;
mod streams;
mod strict;
mod tls;
pub mod tls_pair;
mod unix_socket;
mod upload;
pub mod value;

pub use answers::Answers;
pub use config::ListenConfig;
pub use listener::Listener;
pub use log_filter::log_filter;
pub use peer::{PeerAddr, PeerCertificate};
pub use phase::{Closing, Endless};
pub use pulse::Hold;

#[cfg(test)]
mod tests;
