//! PEM: what the label promises and what it holds.
//!
//! Spec: RFC 7468

use pkcs8::der::pem::{self, LineEnding};
use zeroize::Zeroizing;

use crate::error::Error;

/// A PEM block that may hold a key.
pub(super) enum Pem {
    Public(Vec<u8>),
    RsaPublic(Vec<u8>),
    Private(Zeroizing<Vec<u8>>),
    RsaPrivate(Zeroizing<Vec<u8>>),
    EcPrivate(Zeroizing<Vec<u8>>),
}

pub(super) fn read(text: &str) -> Result<Pem, Error> {
    let (label, der) = pem::decode_vec(text.trim_start().as_bytes()).map_err(|_| Error::KeyInvalid)?;
    match label {
        "PUBLIC KEY" => Ok(Pem::Public(der)),
        "RSA PUBLIC KEY" => Ok(Pem::RsaPublic(der)),
        "PRIVATE KEY" => Ok(Pem::Private(Zeroizing::new(der))),
        "RSA PRIVATE KEY" => Ok(Pem::RsaPrivate(Zeroizing::new(der))),
        "EC PRIVATE KEY" => Ok(Pem::EcPrivate(Zeroizing::new(der))),
        _ => Err(Error::KeyUnsupported),
    }
}

pub(super) fn write(label: &str, der: &[u8]) -> Result<String, Error> {
    pem::encode_string(label, LineEnding::LF, der).map_err(|_| Error::KeyInvalid)
}
