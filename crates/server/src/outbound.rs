//! How this server goes by itself to addresses that clients have registered: to public ones, and to those that the configuration allows.
//!
//! Spec: RFC 9700 §4.11 (addresses that others registered)

use carnet_client::error::ClientError;
use carnet_client::http::HttpClient;

use crate::config::{self, Config};

/// Asks public addresses and those that the configuration allows; on a loopback issuer this machine's as well.
pub fn http_client(config: &Config) -> Result<HttpClient, ClientError> {
    let certificates = config.outbound.root_certificates_file.as_deref();
    HttpClient::reaching(config::reach(config), certificates)
}
