//! Pins: what the public keys of a certificate chain are known by, for apps that trust a few keys instead of every authority.
//!
//! Spec: RFC 7469 §2.4 (SPKI fingerprint) · RFC 5280 §4.1 · RFC 9110 §4.3.4

use std::path::Path;
use std::sync::Arc;

use carnet_jose::primitive;
use data_encoding::BASE64;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};

use crate::error::ClientError;
use crate::http::{TIMEOUT, certificates, trusting};

/// A certificate of a chain, the server's own first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Whose key it is, as RFC 4514 writes names.
    pub subject: String,
    /// When the certificate expires, in seconds since 1970. The key may outlive it.
    pub not_after: u64,
    /// Base64 of the SHA-256 of the `SubjectPublicKeyInfo`.
    pub sha256: String,
}

/// The chain that an https server presents, once it has been verified: a pin of a forged chain would trust the forger.
pub async fn of_server(url: &str) -> Result<Vec<Pin>, ClientError> {
    let refuse = || ClientError::Address(url.to_owned());
    let parsed = url::Url::parse(url).map_err(|_| refuse())?;
    let host = parsed.host_str().filter(|_| parsed.scheme() == "https");
    let host = host.ok_or_else(refuse)?.trim_matches(['[', ']']).to_owned();
    let port = parsed.port_or_known_default().ok_or_else(refuse)?;
    let name = ServerName::try_from(host.clone()).map_err(|_| refuse())?;
    let connector = TlsConnector::from(Arc::new(trusting(Vec::new())?));
    let unreachable = |error: std::io::Error| ClientError::Unreachable(format!("{url}: {error}"));
    let connected = async {
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        connector.connect(name, stream).await
    };
    let late = |_| ClientError::Unreachable(format!("{url}: more than five seconds"));
    let connected = tokio::time::timeout(TIMEOUT, connected).await.map_err(late)?;
    let stream = connected.map_err(unreachable)?;
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    chain.iter().map(|certificate| pin(certificate, url)).collect()
}

/// The certificates of a PEM file.
pub fn of_file(file: &Path) -> Result<Vec<Pin>, ClientError> {
    let place = file.display().to_string();
    let found = certificates(file)?;
    if found.is_empty() {
        return Err(ClientError::File(format!("{place} has no certificate")));
    }
    found.iter().map(|certificate| pin(certificate, &place)).collect()
}

fn pin(certificate: &CertificateDer<'_>, place: &str) -> Result<Pin, ClientError> {
    let unusable = |error: x509_cert::der::Error| ClientError::Invalid(format!("{place}: {error}"));
    let parsed = Certificate::from_der(certificate).map_err(unusable)?;
    let body = parsed.tbs_certificate;
    let key = body.subject_public_key_info.to_der().map_err(unusable)?;
    Ok(Pin {
        subject: body.subject.to_string(),
        not_after: body.validity.not_after.to_unix_duration().as_secs(),
        sha256: BASE64.encode(&primitive::sha256(&key)),
    })
}
