//! Files that hold a secret: readable by their owner alone, or not used at all.

use std::io::Write as _;
use std::path::Path;

pub use carnet_client::secret_file::{SecretFileError, check, read};
use zeroize::Zeroizing;

/// As [`read`], with an error in one sentence.
pub fn read_or_say(file: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    read(file).map_err(|error| format!("{}: {}; {}", file.display(), error.what, error.todo))
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
