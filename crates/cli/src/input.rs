//! What a command is given: an argument, a file, or stdin; and files that hold secrets.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use carnet_listen::secret_file;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::output::Output;

/// The most that is read into memory at once: 16 MiB, far above any token or key.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// The argument, or all of stdin when there is none.
pub(crate) fn text_or_stdin(
    argument: Option<String>,
    what: &str,
    output: &Output,
) -> Result<Zeroizing<String>, Failure> {
    match argument {
        Some(text) => Ok(Zeroizing::new(text)),
        None => text_of(Zeroizing::new(stdin(what, output)?), "stdin"),
    }
}

/// All of stdin, as bytes.
pub(crate) fn stdin(what: &str, output: &Output) -> Result<Vec<u8>, Failure> {
    invite(what, output);
    bounded(std::io::stdin().lock(), "stdin")
}

/// Says what is waited for, when a person sits at stdin.
pub(crate) fn invite(what: &str, output: &Output) {
    if std::io::stdin().is_terminal() {
        output.note(&format!("Paste {what}, then press Enter and Ctrl-D."));
    }
}

/// The text of a file, or of stdin for `-`.
pub(crate) fn text_file(path: &Path, what: &str, output: &Output) -> Result<Zeroizing<String>, Failure> {
    if path == Path::new("-") {
        return text_or_stdin(None, what, output);
    }
    let file = std::fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    text_of(
        Zeroizing::new(bounded(file, &path.display().to_string())?),
        &path.display().to_string(),
    )
}

/// The bytes of a file, or of stdin for `-`.
pub(crate) fn bytes_file(path: &Path, what: &str, output: &Output) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if path == Path::new("-") {
        return stdin(what, output).map(Zeroizing::new);
    }
    let file = std::fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    bounded(file, &path.display().to_string()).map(Zeroizing::new)
}

/// A shared secret: from a file, without the line break that editors leave, or from an argument, with a warning.
pub(crate) fn secret(
    file: Option<&Path>,
    argument: Option<String>,
    output: &Output,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if let Some(text) = argument {
        output.warn("a secret in an argument is visible to every process and stays in the shell's history: write it to a file, mode 0600");
        return Ok(Zeroizing::new(text.into_bytes()));
    }
    let path = file.ok_or_else(|| Failure::broken("no secret was asked for"))?;
    let opened = std::fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    if let Err(error) = secret_file::check(path) {
        output.warn(&format!("{} {}; {}", path.display(), error.what, error.todo));
    }
    let mut secret = Zeroizing::new(bounded(opened, &path.display().to_string())?);
    while secret.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        secret.pop();
    }
    Ok(secret)
}

/// Writes a new file; one that exists is never overwritten. With a secret in it, it has mode 0600.
pub(crate) fn create(path: &Path, text: impl AsRef<[u8]>, is_secret: bool) -> Result<(), Failure> {
    let mode = if is_secret { 0o600 } else { 0o644 };
    let made = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path);
    let written = made.and_then(|mut file| file.write_all(text.as_ref()).and_then(|()| file.sync_all()));
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::conflict("file_exists", format!("{} exists", path.display()))
                .because("a key that is overwritten cannot be brought back")
                .todo("choose another name, or move the old file away")
        }
        _ => Failure::refused("file_unwritable", format!("{} cannot be written", path.display()))
            .because(error.to_string())
            .todo("choose a folder that you may write to"),
    })
}

/// A file that cannot be opened or read.
pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::refused("file_unreadable", format!("{} cannot be read", path.display()))
        .because(error.to_string())
        .todo("name a file that exists and that you may read")
}

fn text_of(bytes: Zeroizing<Vec<u8>>, name: &str) -> Result<Zeroizing<String>, Failure> {
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        Failure::refused("text_invalid", format!("{name} is not UTF-8 text"))
            .because("tokens, claims and PEM or JWK keys are text")
    })?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn bounded(reader: impl std::io::Read, name: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = reader.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| {
        Failure::refused("input_unreadable", format!("{name} cannot be read")).because(error.to_string())
    })?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(
            Failure::refused("input_too_large", format!("{name} has more than 16 MiB"))
                .todo("give a token or a key, not an archive"),
        );
    }
    Ok(bytes)
}
