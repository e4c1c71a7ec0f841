//! Keys from files: PEM, JWKS, or a shared secret that only its owner may read.
//!
//! Spec: RFC 7468 · RFC 7517 §5 · RFC 7518 §3.2

use std::path::Path;

use carnet_jose::{Algorithm, AnyVerifyingKey, KeySet};
use zeroize::Zeroizing;

use crate::error::ClientError;
use crate::secret_file;

/// The public key of a PEM file, for this algorithm. A token needs no `kid` to be checked with it; any `kid` is accepted.
pub fn pem(file: &Path, algorithm: Algorithm) -> Result<AnyVerifyingKey, ClientError> {
    let text = String::from_utf8(read(file)?).map_err(|_| unusable(file, &"is not text"))?;
    AnyVerifyingKey::from_pem(&text, algorithm).map_err(|error| unusable(file, &error))
}

/// The keys of a JWKS file that these algorithms can use.
pub fn jwks(file: &Path, algorithms: &[Algorithm]) -> Result<KeySet, ClientError> {
    let parsed = KeySet::from_jwks_json(&read(file)?, algorithms).map_err(|error| unusable(file, &error))?;
    if parsed.set.is_empty() {
        return Err(unusable(file, &"has no key that these algorithms can use"));
    }
    Ok(parsed.set)
}

/// The secret of a file that others cannot read, as a key that checks.
pub fn shared_secret(file: &Path, algorithm: Algorithm) -> Result<AnyVerifyingKey, ClientError> {
    AnyVerifyingKey::from_secret(&secret(file)?, algorithm).map_err(|error| unusable(file, &error))
}

/// The text of a file that others cannot read: a private key.
pub(crate) fn private_text(file: &Path) -> Result<Zeroizing<String>, ClientError> {
    let bytes = secret(file)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| unusable(file, &"is not text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// What stands in a file that others cannot read, without the line break at its end.
pub fn secret(file: &Path) -> Result<Zeroizing<Vec<u8>>, ClientError> {
    secret_file::read(file).map_err(|error| unusable(file, &format_args!("{}; {}", error.what, error.todo)))
}

fn read(file: &Path) -> Result<Vec<u8>, ClientError> {
    std::fs::read(file).map_err(|error| unusable(file, &error))
}

fn unusable(file: &Path, why: &dyn std::fmt::Display) -> ClientError {
    ClientError::File(format!("{}: {why}", file.display()))
}
