//! The sessions of one replica that have an answer under way.
//!
//! Spec: RFC 10017 §6.1.3.2

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

/// The sessions of this replica that have an answer under way.
pub(super) struct Watched {
    /// How long a session may rest, in milliseconds, as the configuration says that is in force: it is another one sooner than the last of them
    /// has ended.
    idle_ms: AtomicI64,
    all: Mutex<Open>,
    ended: Notify,
}

#[derive(Default)]
struct Open {
    /// By the digest of the cookie.
    sessions: HashMap<[u8; 32], watch::Sender<bool>>,
    /// Whether somebody looks after them.
    watched: bool,
    /// Nobody knows of any session here any more: whatever is still opened is over.
    closed: bool,
}

impl Watched {
    pub(super) fn new(idle_ms: i64) -> Self {
        Self {
            idle_ms: AtomicI64::new(idle_ms),
            all: Mutex::default(),
            ended: Notify::new(),
        }
    }

    pub(super) fn idle_ms(&self) -> i64 {
        self.idle_ms.load(Relaxed)
    }

    /// From now on sessions may rest for so long.
    pub(super) fn judge_by(&self, idle_ms: i64) {
        self.idle_ms.store(idle_ms, Relaxed);
        self.look();
    }

    /// A session has ended here: what it has open is looked at now.
    pub(super) fn look(&self) {
        self.ended.notify_one();
    }

    /// Somebody has told to look.
    pub(super) async fn next_look(&self) {
        self.ended.notified().await;
    }

    /// Says when the session of this cookie has ended, and whether nobody looks after any yet.
    pub(super) fn open(&self, digest: [u8; 32]) -> (watch::Receiver<bool>, bool) {
        let mut all = self.all();
        if all.closed {
            return (watch::channel(true).1, false);
        }
        let sender = all.sessions.entry(digest);
        let over = sender.or_insert_with(|| watch::channel(false).0).subscribe();
        (over, !std::mem::replace(&mut all.watched, true))
    }

    fn all(&self) -> MutexGuard<'_, Open> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that still have one; `None` ends the watch.
    pub(super) fn waiting(&self) -> Option<Vec<[u8; 32]>> {
        let mut all = self.all();
        all.sessions.retain(|_, sender| sender.receiver_count() > 0);
        all.watched = !all.sessions.is_empty();
        all.watched.then(|| all.sessions.keys().copied().collect())
    }

    /// Nobody knows of any session any more.
    pub(super) fn end_all(&self) {
        let mut all = self.all();
        all.closed = true;
        for (_, sender) in all.sessions.drain() {
            sender.send_replace(true);
        }
    }

    pub(super) fn end(&self, digest: &[u8; 32]) {
        if let Some(sender) = self.all().sessions.remove(digest) {
            sender.send_replace(true);
        }
    }
}
