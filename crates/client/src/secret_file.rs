//! Files that hold a secret: readable by their owner alone, or not used at all.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use zeroize::Zeroizing;

/// The secret in the file, without the line break that editors leave at its end.
pub fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    let (opened, size) = open(file)?;
    // With room for all of it: a buffer that grows leaves copies behind.
    let size = usize::try_from(size).unwrap_or_default();
    let mut secret = Zeroizing::new(Vec::with_capacity(size.min(MOST_BYTES) + 1));
    let limit = u64::try_from(MOST_BYTES + 1).unwrap_or(u64::MAX);
    opened
        .take(limit)
        .read_to_end(&mut secret)
        .map_err(|error| SecretFileError::unreadable(&error))?;
    if secret.len() > MOST_BYTES {
        return Err(SecretFileError::new(
            "is larger than 64 KiB: this is no secret",
            "name the file with the secret",
        ));
    }
    while secret.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        secret.pop();
    }
    Ok(secret)
}

/// Refuses a file that is missing, unreadable, or open to others than its owner.
pub fn check(file: &Path) -> Result<(), SecretFileError> {
    open(file).map(drop)
}

/// The file and its size: what is read is what was looked at, not what has its name a moment later.
fn open(file: &Path) -> Result<(File, u64), SecretFileError> {
    let opened = File::open(file).map_err(|error| SecretFileError::unreadable(&error))?;
    let metadata = opened
        .metadata()
        .map_err(|error| SecretFileError::unreadable(&error))?;
    if !metadata.is_file() {
        return Err(SecretFileError::new("is no file", "name a file"));
    }
    let mode = metadata.mode();
    // A group may read what a service manager hands out (0640, root:carnet); the world never.
    if mode & 0o037 != 0 {
        let what = format!(
            "has mode {:04o}: others than its owner can read it",
            mode & 0o7777
        );
        return Err(SecretFileError::new(
            what,
            format!("run: chmod 600 {}", file.display()),
        ));
    }
    Ok((opened, metadata.len()))
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
    fn new(what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            todo: todo.into(),
        }
    }

    fn unreadable(error: &io::Error) -> Self {
        Self::new(
            format!("cannot be read: {error}"),
            "name a file that this user can read",
        )
    }
}

/// More than any hash has use for.
const MOST_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_is_its_owners_alone_and_no_larger_than_one() {
        let folder = tempfile::tempdir().unwrap();
        let with = |bytes: &[u8], mode| {
            let file = folder.path().join("secret");
            std::fs::write(&file, bytes).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            read(&file)
        };
        for mode in [0o600, 0o400, 0o640, 0o440] {
            assert_eq!(**with(b" s3cret \r\n\n", mode).as_ref().unwrap(), *b" s3cret ");
            assert_eq!(**with(b"", mode).as_ref().unwrap(), *b"");
        }
        for mode in [0o644, 0o604, 0o660, 0o602, 0o777] {
            let error = with(b"s3cret", mode).unwrap_err();
            assert!(error.what.contains(&format!("{mode:04o}")), "{error:?}");
            assert!(error.todo.starts_with("run: chmod 600 "), "{error:?}");
        }
        assert!(with(&[b'x'; MOST_BYTES], 0o600).is_ok());
        let error = with(&[b'x'; MOST_BYTES + 1], 0o600).unwrap_err();
        assert!(error.what.contains("64 KiB"), "{error:?}");
        assert_eq!(read(folder.path()).unwrap_err().what, "is no file");
        assert!(
            read(&folder.path().join("none"))
                .unwrap_err()
                .what
                .starts_with("cannot be read")
        );
    }
}
