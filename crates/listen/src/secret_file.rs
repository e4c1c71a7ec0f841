//! Files that hold a secret: readable by their owner alone, or not used at all.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use zeroize::Zeroizing;

/// The secret in the file, without the line break that editors leave at its end.
pub fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    check(file)?;
    let mut secret =
        Zeroizing::new(std::fs::read(file).map_err(|error| SecretFileError::unreadable(&error))?);
    while secret.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        secret.pop();
    }
    Ok(secret)
}

/// As [`read`], with an error in one sentence.
pub fn read_or_say(file: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    read(file).map_err(|error| format!("{}: {}; {}", file.display(), error.what, error.todo))
}

/// Refuses a file that is missing, unreadable, or open to others than its owner.
pub fn check(file: &Path) -> Result<(), SecretFileError> {
    let opened = std::fs::File::open(file).map_err(|error| SecretFileError::unreadable(&error))?;
    let metadata = opened
        .metadata()
        .map_err(|error| SecretFileError::unreadable(&error))?;
    if !metadata.is_file() {
        return Err(SecretFileError {
            what: "is no file".to_owned(),
            todo: "name a file".to_owned(),
        });
    }
    // A group may read what a service manager hands out (0640, root:carnet); the world never.
    if metadata.mode() & 0o037 != 0 {
        let what = format!(
            "has mode {:04o}: others than its owner can read it",
            metadata.mode() & 0o7777
        );
        return Err(SecretFileError {
            what,
            todo: format!("run: chmod 600 {}", file.display()),
        });
    }
    Ok(())
}

/// Writes a new file with mode 0600; `false` when somebody else has made it first.
///
/// The content is complete before the name exists, so that no reader ever sees half a secret.
pub fn create(file: &Path, secret: &[u8]) -> std::io::Result<bool> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Mode 0600 from its first moment, and removed when it is dropped, whatever goes wrong.
    let mut draft = tempfile::NamedTempFile::new_in(folder)?;
    draft.write_all(secret)?;
    draft.as_file().sync_all()?;
    match draft.persist_noclobber(file) {
        // Without its folder on disk a file is lost by the next power cut, and everything that is sealed under it.
        Ok(_) => std::fs::File::open(folder)?.sync_all().map(|()| true),
        Err(refused) if refused.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(refused) => Err(refused.error),
    }
}

/// Why a file with a secret is not used, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFileError {
    /// What is wrong with the file.
    pub what: String,
    /// What to do about it.
    pub todo: String,
}

impl SecretFileError {
    fn unreadable(error: &std::io::Error) -> Self {
        Self {
            what: format!("cannot be read: {error}"),
            todo: "name a file that this user can read".to_owned(),
        }
    }
}
