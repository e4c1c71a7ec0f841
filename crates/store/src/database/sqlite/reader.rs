//! Readers: a read-only connection for every thread that asks, used inline.
//!
//! A point read is faster than a hop to another thread.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use rusqlite::Connection;

use super::connection;
use crate::database::queue;
use crate::error::StoreError;

/// The readers of one database, on whatever threads they are.
pub(super) struct Readers(Arc<Shared>);

struct Shared {
    number: u64,
    path: Arc<Path>,
    closed: AtomicBool,
}

struct Reader {
    connection: Connection,
    of: Weak<Shared>,
}

impl Readers {
    pub(super) fn new(path: Arc<Path>) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(Arc::new(Shared {
            number,
            path,
            closed: AtomicBool::new(false),
        }))
    }

    /// Read with the connection of this thread.
    pub(super) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.0.closed.load(Ordering::Acquire) {
            return Err(queue::closed());
        }
        READERS.with_borrow_mut(|readers| {
            if !readers.contains_key(&self.0.number) {
                // Databases that were closed meanwhile leave their connections behind on every thread.
                readers.retain(|_, reader| reader.is_wanted());
                let connection = connection::read_only(&self.0.path)?;
                readers.insert(
                    self.0.number,
                    Reader {
                        connection,
                        of: Arc::downgrade(&self.0),
                    },
                );
            }
            match readers.get(&self.0.number) {
                Some(reader) => read(&reader.connection),
                None => Err(queue::closed()),
            }
        })
    }

    /// Read no more. This thread's connection goes now, those of others when they next open one.
    pub(super) fn forget(&self) {
        self.0.closed.store(true, Ordering::Release);
        READERS.with_borrow_mut(|readers| readers.remove(&self.0.number));
    }
}

impl Reader {
    fn is_wanted(&self) -> bool {
        self.of
            .upgrade()
            .is_some_and(|shared| !shared.closed.load(Ordering::Acquire))
    }
}

thread_local! {
    static READERS: RefCell<HashMap<u64, Reader>> = RefCell::new(HashMap::new());
}

/// Numbers databases, so that a path opened twice has readers twice.
static NEXT: AtomicU64 = AtomicU64::new(0);
