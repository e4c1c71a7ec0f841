//! A listening socket with a name in the file system: taken from nobody who is alive, and gone when we are.

use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio::time::{Instant, sleep};

/// The file of a socket that is ours. It is removed when this is dropped, unless somebody has put another in its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    is: (u64, u64),
}

/// Listens under this name. What a dead process has left there goes; what is no socket stays, and so does that of a living one.
pub(super) async fn bind(path: &Path) -> io::Result<(SocketFile, UnixListener)> {
    // Of two that start at once, neither takes what the other has just made for what is left of the dead.
    let _alone = alone_in(path.parent().unwrap_or(Path::new("/"))).await?;
    clear(path).await?;
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    let file = SocketFile {
        path: path.to_owned(),
        is: identity(path)?,
    };
    // Before anybody is let in: nobody can connect to what does not listen.
    fs::set_permissions(path, Permissions::from_mode(MODE))?;
    Ok((file, socket.listen(QUEUE)?))
}

/// Whoever starts in this folder waits for the others who do, while this is kept.
async fn alone_in(folder: &Path) -> io::Result<File> {
    let opened = File::open(folder)?;
    let until = Instant::now() + PATIENCE;
    // Not in a thread that waits: it could not be called back, and the end of the process would wait for it.
    loop {
        match opened.try_lock() {
            Ok(()) => return Ok(opened),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "somebody has locked the folder",
                ));
            }
            Err(TryLockError::WouldBlock) => sleep(AGAIN).await,
        }
    }
}

async fn clear(path: &Path) -> io::Result<()> {
    use io::ErrorKind::{AddrInUse, AlreadyExists, ConnectionRefused, NotFound};
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::new(
            AlreadyExists,
            "there is a file of this name, and it is no socket",
        ));
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(io::Error::new(AddrInUse, "a process listens there")),
        Err(error) if error.kind() == ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == NotFound => Ok(()),
        // Its queue may be full, or we may not ask: that is no sign of death.
        Err(error) => Err(io::Error::new(
            AddrInUse,
            format!("whether a process listens there cannot be told: {error}"),
        )),
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|is| is == self.is)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(file = %self.path.display(), %error, "the file of the socket could not be removed");
        }
    }
}

/// For its owner and its group: the proxy in front is put into the group, or the folder given the proxy's.
const MODE: u32 = 0o660;
/// Connections that wait to be greeted, as many as the listeners at addresses let wait.
const QUEUE: u32 = 1_024;
/// How long others who start may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at the lock.
const AGAIN: Duration = Duration::from_millis(20);
