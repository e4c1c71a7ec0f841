//! Where the file of the database stood when it was opened.
//!
//! One that was moved away or replaced since is still read and written, and lost with the process.

use std::path::{Path, PathBuf};

use crate::error::StoreError;

/// A path, and which file it named. The file itself is not opened: closing it would drop the locks of SQLite.
pub(super) struct FilePlace {
    path: PathBuf,
    file: Identity,
}

impl FilePlace {
    pub(super) fn of(path: &Path) -> Result<Self, StoreError> {
        let file = identity(path)?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    /// Whether the path still names that file.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match identity(&self.path)? == self.file {
            true => Ok(()),
            false => Err(StoreError::Unavailable(format!(
                "{} is another file than the one that was opened: start again with the one that counts",
                self.path.display()
            ))),
        }
    }
}

#[cfg(unix)]
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(path: &Path) -> Result<Identity, StoreError> {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::metadata(path).map_err(|error| gone(path, &error))?;
    Ok((found.dev(), found.ino()))
}

#[cfg(not(unix))]
type Identity = ();

#[cfg(not(unix))]
fn identity(path: &Path) -> Result<Identity, StoreError> {
    std::fs::metadata(path)
        .map(drop)
        .map_err(|error| gone(path, &error))
}

fn gone(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Unavailable(format!(
        "{}: {error}; what is written now is lost with this process",
        path.display()
    ))
}
