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

const LABELS: [&str; 5] = [
    "PUBLIC KEY",
    "RSA PUBLIC KEY",
    "PRIVATE KEY",
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
];

pub(super) fn read(text: &str) -> Result<Pem, Error> {
    let block = key_block(text);
    // The label first: what an unknown one announces need not be written as strictly as ours.
    let label = pem::decode_label(block.as_bytes()).map_err(|_| Error::KeyInvalid)?;
    if !LABELS.contains(&label) {
        return Err(Error::KeyUnsupported);
    }
    let (label, der) = pem::decode_vec(block.as_bytes()).map_err(|_| Error::KeyInvalid)?;
    match label {
        "PUBLIC KEY" => Ok(Pem::Public(der)),
        "RSA PUBLIC KEY" => Ok(Pem::RsaPublic(der)),
        "PRIVATE KEY" => Ok(Pem::Private(Zeroizing::new(der))),
        "RSA PRIVATE KEY" => Ok(Pem::RsaPrivate(Zeroizing::new(der))),
        "EC PRIVATE KEY" => Ok(Pem::EcPrivate(Zeroizing::new(der))),
        _ => Err(Error::KeyUnsupported),
    }
}

/// From the line on that opens the key. The text in front of it explains (RFC 7468 §2), and `openssl ecparam -genkey` writes the curve
/// there, which the key names as well (RFC 5915 §3).
fn key_block(text: &str) -> &str {
    let block = opened(text);
    let parameters = block.strip_prefix("-----BEGIN EC PARAMETERS-----");
    match parameters.and_then(|rest| rest.split_once("-----END EC PARAMETERS-----")) {
        Some((inside, behind)) if !inside.contains("-----") => opened(behind),
        _ => block,
    }
}

fn opened(text: &str) -> &str {
    // §2: what stands behind explains as well; blank lines there are what editors and `echo` leave.
    let text = text.trim_start_matches('\u{feff}').trim();
    let is_line = |at: usize| {
        text.get(..at)
            .is_none_or(|front| front.is_empty() || front.ends_with(['\n', '\r']))
    };
    let mut begins = text.match_indices("-----BEGIN ").map(|(at, _)| at);
    let start = begins.find(|at| is_line(*at)).unwrap_or_default();
    text.get(start..).unwrap_or_default()
}

pub(super) fn write(label: &str, der: &[u8]) -> Result<String, Error> {
    pem::encode_string(label, LineEnding::LF, der).map_err(|_| Error::KeyInvalid)
}
