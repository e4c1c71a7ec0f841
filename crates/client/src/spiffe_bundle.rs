//! The bundle of a SPIFFE trust domain, as keys are fetched: from a URL or from a file, and how long it is fresh.
//!
//! Spec: SPIFFE Trust Domain and Bundle §4.1.2 (refresh hint), §6.2 · RFC 5861 §4 (stale-if-error)

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use carnet_jose::{Algorithm, Error, KeySet, MAX_SET_BYTES};
use carnet_oauth::spiffe::Bundle;
use http::{HeaderMap, StatusCode, header};

use crate::error::ClientError;
use crate::http::Answer;

/// The keys of JWT-SVIDs, and when to look again: as the bundle says, within what is sensible.
pub(crate) fn read(document: &[u8], algorithms: &[Algorithm]) -> Result<(KeySet, Duration), Error> {
    let bundle = Bundle::read(document, algorithms)?;
    let hint = bundle.refresh_hint.map(Duration::from_secs);
    let hint = hint.map_or(DEFAULT_HINT, |hint| hint.clamp(SHORTEST_HINT, LONGEST_HINT));
    Ok((bundle.keys, hint))
}

/// Caches on the way have nothing to say: the bundle itself says how long it is good.
pub(crate) fn uncached(mut answer: Answer) -> Answer {
    answer.headers.remove(header::CACHE_CONTROL);
    answer
}

/// What stands in the file now, as if it had been fetched. Whoever may write it can be any workload: it is its owner's alone to write.
pub(crate) async fn file(path: &Path) -> Result<Answer, ClientError> {
    let unusable = {
        let name = path.display().to_string();
        move |error: &dyn std::fmt::Display| ClientError::File(format!("{name}: {error}"))
    };
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || contents(&path));
    let read = read.await.map_err(|error| unusable(&error))?;
    Ok(Answer {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        body: read.map_err(|error| unusable(&error))?.into(),
    })
}

fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let opened = File::open(path)?;
    if opened.metadata()?.mode() & 0o022 != 0 {
        return Err(io::Error::other("others may write it: chmod 644"));
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_SET_BYTES + 1).unwrap_or(u64::MAX);
    opened.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// §6.2: relatively low, so that a key that is taken out does not count for long.
const DEFAULT_HINT: Duration = Duration::from_secs(300);
const SHORTEST_HINT: Duration = Duration::from_secs(5);
const LONGEST_HINT: Duration = Duration::from_secs(3_600);
