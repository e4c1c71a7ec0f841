//! Keys from files: PEM, JWKS, or a shared secret that only its owner may read.
//!
//! Spec: RFC 7468 · RFC 7517 §5 · RFC 7518 §3.2

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use carnet_jose::{Algorithm, AnyVerifyingKey, KeySet};
use zeroize::Zeroizing;

use crate::error::ClientError;

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
    let mut opened = File::open(file).map_err(|error| unusable(file, &error))?;
    // Of the file that is read, not of the one that has its name a moment later.
    let metadata = opened.metadata().map_err(|error| unusable(file, &error))?;
    let mode = metadata.mode();
    // A group may read what a service manager hands out (0640); the world never.
    if mode & 0o037 != 0 {
        return Err(unusable(
            file,
            &format!(
                "has mode {:04o}: others can read it; run chmod 600",
                mode & 0o7777
            ),
        ));
    }
    // With room for all of it: a buffer that grows leaves copies behind.
    let size = usize::try_from(metadata.len()).unwrap_or_default();
    let mut secret = Zeroizing::new(Vec::with_capacity(size.min(MAX_SECRET_BYTES) + 1));
    let limit = u64::try_from(MAX_SECRET_BYTES + 1).unwrap_or(u64::MAX);
    (&mut opened)
        .take(limit)
        .read_to_end(&mut secret)
        .map_err(|error| unusable(file, &error))?;
    if secret.len() > MAX_SECRET_BYTES {
        return Err(unusable(file, &"is larger than 64 KiB: this is no secret"));
    }
    while secret.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        secret.pop();
    }
    Ok(secret)
}

fn read(file: &Path) -> Result<Vec<u8>, ClientError> {
    std::fs::read(file).map_err(|error| unusable(file, &error))
}

fn unusable(file: &Path, why: &dyn std::fmt::Display) -> ClientError {
    ClientError::File(format!("{}: {why}", file.display()))
}

/// More than any hash has use for.
const MAX_SECRET_BYTES: usize = 64 * 1024;
