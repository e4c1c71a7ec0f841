//! A TLS certificate and its key, as two PEM files.
//!
//! Spec: RFC 7468 (PEM) · RFC 7301 (ALPN)

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use carnet_jose::primitive::sha256;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::{client_certificate, secret_file};

/// The PEM files of a TLS server. They are read again when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, then its chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Both files as they were at one moment.
pub struct Pair {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl Pair {
    /// Reads both. The key must be its owner's alone, as every secret file.
    pub fn read(files: &TlsFiles) -> io::Result<Self> {
        let certificate =
            fs::read(&files.certificate).map_err(|error| unusable(&files.certificate, error))?;
        let key = secret_file::read(&files.key)
            .map_err(|error| unusable(&files.key, format_args!("{}; {}", error.what, error.todo)))?;
        Ok(Self { certificate, key })
    }

    /// Differs when one of the files does.
    pub fn digest(&self) -> [u8; 32] {
        sha256(&[sha256(&self.certificate), sha256(&self.key)].concat())
    }

    /// What a listener presents with them; or which of the files is wrong, and why.
    pub fn server_config(&self, files: &TlsFiles) -> io::Result<Arc<ServerConfig>> {
        self.presented(files, false)
    }

    /// As [`Pair::server_config`]; asks clients for a certificate of theirs when told to.
    pub(crate) fn presented(&self, files: &TlsFiles, asks: bool) -> io::Result<Arc<ServerConfig>> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate).collect();
        let chain =
            chain.map_err(|error| unusable(&files.certificate, format_args!("is not PEM: {error}")))?;
        if chain.is_empty() {
            return Err(unusable(
                &files.certificate,
                "holds no certificate (BEGIN CERTIFICATE)",
            ));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| {
            unusable(
                &files.key,
                "holds no private key in PEM (BEGIN PRIVATE KEY), or an encrypted one",
            )
        })?;
        let provider = aws_lc_rs::default_provider();
        let algorithms = provider.signature_verification_algorithms;
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let config = match asks {
            true => config.with_client_cert_verifier(client_certificate::any(algorithms)),
            false => config.with_no_client_auth(),
        };
        let mut config = config.with_single_cert(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => unusable(
                &files.key,
                format_args!(
                    "is not the key of the certificate in {}",
                    files.certificate.display()
                ),
            ),
            error => unusable(&files.certificate, error),
        })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn unusable(file: &Path, why: impl Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{}: {why}", file.display()))
}
