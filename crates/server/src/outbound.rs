//! How this server goes by itself to addresses that clients have registered: to public ones, and to those that the configuration allows.
//!
//! Spec: RFC 9700 §4.11 (addresses that others registered)

use std::net::IpAddr;

use carnet_client::error::ClientError;
use carnet_client::http::HttpClient;
use carnet_client::reach::Reach;

use crate::config::Config;

/// Asks public addresses and those that the configuration allows; on a loopback issuer this machine's as well.
pub fn http_client(config: &Config) -> Result<HttpClient, ClientError> {
    let (allowed, loopback) = (
        config.outbound.allowed_networks.clone(),
        config.issuer.is_loopback(),
    );
    let reach = Reach::public_and(move |address: IpAddr| {
        loopback && address.is_loopback() || allowed.iter().any(|network| network.contains(address))
    });
    HttpClient::reaching(reach, config.outbound.root_certificates_file.as_deref())
}
