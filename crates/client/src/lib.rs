//! Talks to an authorization server: discovery, cached keys, introspection, the revocation feed, tokens.

pub mod authorize;
pub mod bundle;
pub mod clock;
pub mod credentials;
pub mod device;
pub mod discovery;
pub mod dpop;
pub mod error;
pub mod exchange;
mod flight;
mod freshness;
pub mod http;
pub mod introspect;
pub mod jwks;
pub mod keeper;
mod key_cache;
pub mod key_file;
pub mod pin;
pub mod provider;
pub mod reach;
pub mod renewal;
pub mod revocations;
pub mod service_client;
pub mod service_signer;
mod snapshot;
pub mod token;
