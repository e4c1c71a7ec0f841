//! Fetched keys on the disk, for a start while their issuer is down.
//!
//! Spec: RFC 7517 §5 · RFC 5861 §4 (stale-if-error)

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use carnet_jose::{Algorithm, KeySet, MAX_SET_BYTES};
use serde::{Deserialize, Serialize};

use crate::key_cache::Cached;

/// A file with the keys of one issuer.
#[derive(Clone)]
pub(crate) struct Snapshot {
    file: PathBuf,
    /// The issuer, or the URL of its keys: what another one wrote is not read.
    issuer: String,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    issuer: String,
    /// Where the keys came from.
    url: String,
    /// When, in seconds since 1970.
    fetched: u64,
    /// The JWKS as it came.
    jwks: String,
}

impl Snapshot {
    pub(crate) fn new(file: &Path, issuer: &str) -> Self {
        Self {
            file: file.to_owned(),
            issuer: issuer.to_owned(),
        }
    }

    /// What the file holds, if that can be used now: asked for again at once, and for a day after it was fetched.
    pub(crate) fn load(&self, algorithms: &[Algorithm], now: Duration) -> Option<Cached> {
        let file = self.file.display();
        let kept = match self.read() {
            Ok(kept) => kept,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(%file, %error, "a snapshot of keys is not used");
                return None;
            }
        };
        let set = KeySet::from_jwks_json(kept.jwks.as_bytes(), algorithms).ok()?.set;
        let fetched = Duration::from_secs(kept.fetched);
        // From the future: nobody knows how old it is.
        let ours = kept.issuer == self.issuer && fetched <= now;
        let cached = Cached {
            set: Arc::new(set),
            url: kept.url,
            body: kept.jwks.into(),
            etag: None,
            fetched,
            max_age: Duration::ZERO,
        };
        let usable = ours && !cached.is_over(now);
        if !usable {
            tracing::warn!(%file, "a snapshot of keys is too old or another issuer's: it is not used");
        }
        usable.then_some(cached)
    }

    fn read(&self) -> io::Result<Kept> {
        let opened = File::open(&self.file)?;
        let metadata = opened.metadata()?;
        if metadata.mode() & 0o022 != 0 {
            return Err(io::Error::other("others may write it: chmod 600"));
        }
        let mut text = String::new();
        let limit = u64::try_from(2 * MAX_SET_BYTES).unwrap_or(u64::MAX);
        opened.take(limit).read_to_string(&mut text)?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Replaces the file in one step, soon: nobody waits for a disk. That it cannot be written hinders nobody.
    pub(crate) fn save(&self, cached: Arc<Cached>) {
        let snapshot = self.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = snapshot.write(&cached) {
                tracing::warn!(file = %snapshot.file.display(), %error, "a snapshot of keys could not be written");
            }
        });
    }

    fn write(&self, cached: &Cached) -> io::Result<()> {
        let kept = Kept {
            issuer: self.issuer.clone(),
            url: cached.url.clone(),
            fetched: cached.fetched.as_secs(),
            jwks: String::from_utf8_lossy(&cached.body).into_owned(),
        };
        // Of several processes each writes its own.
        let mut name = self.file.as_os_str().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let temporary = PathBuf::from(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut opened = options.open(&temporary)?;
        opened.write_all(&serde_json::to_vec(&kept)?)?;
        drop(opened);
        std::fs::rename(&temporary, &self.file)
    }
}
