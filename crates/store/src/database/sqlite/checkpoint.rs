//! The checkpoint thread: brings the write-ahead log home, so that no commit has to.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;

use super::connection;
use crate::error::StoreError;

/// Start the thread; it makes a last checkpoint when the sender of `stopped` is gone.
pub(super) fn start(path: &Arc<Path>, stopped: Receiver<()>) -> Result<JoinHandle<()>, StoreError> {
    let connection = connection::writable(path)?;
    // A checkpoint that waits for a reader holds writers up, so it does not wait long.
    connection
        .busy_timeout(PATIENCE)
        .map_err(|error| connection::failed("checkpoint", &error))?;
    Builder::new()
        .name("carnet-sqlite-checkpoint".to_owned())
        .spawn(move || serve(&connection, &stopped))
        .map_err(|error| StoreError::Unavailable(format!("no checkpoint thread: {error}")))
}

fn serve(connection: &Connection, stopped: &Receiver<()>) {
    let (mut brought, mut failing) = (0, false);
    // Rounds until the log begins anew, and how many the next time waits: a reader that stays holds it up, and it holds up writers.
    let (mut wait, mut pause) = (0, 1);
    loop {
        let last = match stopped.recv_timeout(ROUND) {
            Err(RecvTimeoutError::Timeout) => false,
            Ok(()) | Err(RecvTimeoutError::Disconnected) => true,
        };
        match checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)") {
            // PASSIVE lets the log begin anew only when nobody writes meanwhile; under steady load it grows without end.
            Ok(log) if last || (log.pages > LARGE && log.pages != brought && wait == 0) => {
                failing = false;
                // A file that keeps its length is written over: a COMMIT has no new blocks and no new length to sync.
                let how = match last || log.pages > HUGE {
                    true => "PRAGMA wal_checkpoint(TRUNCATE)",
                    false => "PRAGMA wal_checkpoint(RESTART)",
                };
                let after = checkpoint(connection, how).unwrap_or(Log { busy: true, ..log });
                brought = after.pages;
                pause = match after.busy {
                    true => (pause * 2).min(LONGEST_PAUSE),
                    false => 1,
                };
                wait = pause;
            }
            Ok(_) => {
                failing = false;
                wait = i32::max(wait - 1, 0);
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "the write-ahead log could not be brought home; tried again until it works");
                }
                failing = true;
            }
        }
        if last {
            return;
        }
    }
}

/// The log after a checkpoint.
#[derive(Clone, Copy)]
struct Log {
    /// Somebody was in the way.
    busy: bool,
    /// How many pages it has.
    pages: i64,
}

fn checkpoint(connection: &Connection, pragma: &'static str) -> Result<Log, StoreError> {
    let mut prepared = connection
        .prepare_cached(pragma)
        .map_err(|error| connection::failed(pragma, &error))?;
    prepared
        .query_row([], |row| {
            let (busy, pages) = (row.get(0)?, row.get(1)?);
            Ok(Log { busy, pages })
        })
        .map_err(|error| connection::failed(pragma, &error))
}

/// How often to look. A log without new pages costs nothing.
const ROUND: Duration = Duration::from_millis(250);

/// Half a minute of rounds.
const LONGEST_PAUSE: i32 = 120;

const PATIENCE: Duration = Duration::from_millis(100);

/// 64 MiB of 4 KiB pages: so long a log begins anew.
const LARGE: i64 = 16_384;

/// 256 MiB: a file that a reader has let grow so far is cut.
const HUGE: i64 = 65_536;
