//! TLS towards services: as whom we show ourselves, and what was wrong when it fails.
//!
//! Spec: RFC 8446 §4.4.2, §6.2 (alerts) · RFC 6125 §6 (names)

use std::error::Error;
use std::sync::Arc;

use carnet_client::clock::Clock;
use carnet_client::error::ClientError;
use carnet_client::shown_certificate::ShownCertificate;

use crate::config;

/// The certificate that is shown to servers which ask for one.
pub(super) fn shown(
    config: &config::Upstream,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Arc<ShownCertificate>>, ClientError> {
    let missing =
        |one, other| ClientError::Invalid(format!("has {one} and no {other}: neither is of use alone"));
    match (&config.client_certificate_file, &config.client_key_file) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(missing("client_certificate_file", "client_key_file")),
        (None, Some(_)) => Err(missing("client_key_file", "client_certificate_file")),
        (Some(certificate), Some(key)) => {
            only_https("client_certificate_file", config)?;
            ShownCertificate::load(certificate, key, clock.clone()).map(Some)
        }
    }
}

/// What looks as if a connection were protected, and would never be.
pub(super) fn only_https(key: &str, config: &config::Upstream) -> Result<(), ClientError> {
    let plain = |url: &&String| {
        url.get(..8)
            .is_none_or(|start| !start.eq_ignore_ascii_case("https://"))
    };
    match config.urls.iter().find(plain) {
        None => Ok(()),
        Some(url) => Err(ClientError::Invalid(format!(
            "has {key}, which is of no use for {url}: write https://"
        ))),
    }
}

/// An error with everything behind it, in one line.
pub(super) fn whole(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some say what is behind them themselves.
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// What an operator should look at, when TLS is the trouble. HTTP/2 passes errors on as words alone: they are all there is.
pub(super) fn hint(cause: &str) -> Option<&'static str> {
    let found = HINTS.iter().find(|(words, _)| cause.contains(words));
    found.map(|(_, hint)| *hint)
}

const HINTS: [(&str, &str); 10] = [
    (
        "alert: CertificateRequired",
        "it asks for a client certificate: set client_certificate_file and client_key_file",
    ),
    (
        "alert: CertificateExpired",
        "it says that our client certificate has expired: renew client_certificate_file",
    ),
    (
        "alert: CertificateRevoked",
        "it says that our client certificate was revoked: get another one",
    ),
    (
        "alert: UnknownCA",
        "it does not know the authority of our client certificate: see what it trusts, and client_certificate_file for the chain",
    ),
    (
        "alert: DecryptError",
        "it cannot verify our client certificate: it is of another authority of the same name",
    ),
    (
        "alert: BadCertificate",
        "it refuses our client certificate: see client_certificate_file, and the log of the service",
    ),
    (
        "alert: CertificateUnknown",
        "it refuses our client certificate: see client_certificate_file, and the log of the service",
    ),
    (
        "alert: AccessDenied",
        "it lets our client certificate in nowhere: see whom it lets in",
    ),
    (
        "alert: HandshakeFailure",
        "no common way of TLS; or it asks for a client certificate: client_certificate_file",
    ),
    (
        "invalid peer certificate",
        "its certificate is not trusted here: see root_certificates_file, and server_name when it has another name than its URL",
    ),
];
