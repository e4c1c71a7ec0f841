//! Places for those who follow: so many in all, and so many for one consumer, so that nobody can shut the others out.
//!
//! Spec: RFC 6585 §4 (429)

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// All places, free and taken.
#[derive(Clone)]
pub(super) struct Places(Arc<Inner>);

struct Inner {
    all: Arc<Semaphore>,
    /// How many each consumer has.
    held: Mutex<HashMap<String, usize>>,
    share: usize,
}

/// One place, given back when dropped.
pub(super) struct Place {
    places: Places,
    consumer: String,
    _permit: OwnedSemaphorePermit,
}

/// Why nobody more follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// All places are taken.
    All,
    /// The consumer has its share of them.
    Share,
}

impl Places {
    /// So many in all, and so many of them for one consumer.
    pub(super) fn new(all: usize, share: usize) -> Self {
        Self(Arc::new(Inner {
            all: Arc::new(Semaphore::new(all.min(Semaphore::MAX_PERMITS))),
            held: Mutex::default(),
            share,
        }))
    }

    pub(super) fn take(&self, consumer: &str) -> Result<Place, Full> {
        let mut held = self.held();
        let of_it = held.get(consumer).copied().unwrap_or_default();
        if of_it >= self.0.share {
            return Err(Full::Share);
        }
        let permit = self.0.all.clone().try_acquire_owned().map_err(|_| Full::All)?;
        held.insert(consumer.to_owned(), of_it + 1);
        Ok(Place {
            places: self.clone(),
            consumer: consumer.to_owned(),
            _permit: permit,
        })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.places.held();
        match held.get_mut(&self.consumer) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                held.remove(&self.consumer);
            }
        }
    }
}
