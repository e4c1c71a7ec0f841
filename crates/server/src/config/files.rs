//! Files that the configuration names: there, readable, and private where they hold a secret.

use std::path::Path;

use carnet_listen::secret_file;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::fault::{Fault, fault};

pub(super) fn certificates(key: &str, file: &Path) -> Result<(), Fault> {
    let found = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let what = match found {
        Ok(found) if found.is_empty() => format!("{} has no certificate", file.display()),
        Ok(_) => return Ok(()),
        Err(error) => format!("{}: {error}", file.display()),
    };
    Err(fault(key, what, "name a file with PEM certificates"))
}

pub(super) fn readable(key: &str, file: &Path) -> Result<(), Fault> {
    let todo = "name a file that this user can read";
    std::fs::File::open(file)
        .map(|_| ())
        .map_err(|error| fault(key, format!("{}: {error}", file.display()), todo))
}

pub(super) fn private(key: &str, file: &Path) -> Result<(), Fault> {
    secret_file::check(file)
        .map_err(|error| fault(key, format!("{}: {}", file.display(), error.what), error.todo))
}
