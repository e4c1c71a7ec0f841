//! Turns: how many requests may do the same thing at once, by the name of that thing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Who is at it, and who waits.
#[derive(Debug, Default)]
pub struct Turns(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    by_name: HashMap<String, Arc<Semaphore>>,
    /// How many names there may be before those that nobody holds are forgotten.
    limit: usize,
}

impl Turns {
    /// Waits for one of so many turns at this name; it ends when it is dropped. None when the line is too slow.
    pub async fn take(&self, name: &str, at_once: usize) -> Option<OwnedSemaphorePermit> {
        let turn = self.of(name, at_once).acquire_owned();
        tokio::time::timeout(PATIENCE, turn).await.ok()?.ok()
    }

    fn of(&self, name: &str, at_once: usize) -> Arc<Semaphore> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.by_name.len() >= waiting.limit {
            // Whoever holds a turn, or waits for one, holds the semaphore.
            waiting.by_name.retain(|_, turns| Arc::strong_count(turns) > 1);
            waiting.limit = FEWEST.max(waiting.by_name.len() * 2);
        }
        let turns = waiting.by_name.entry(name.to_owned());
        turns
            .or_insert_with(|| Arc::new(Semaphore::new(at_once.max(1))))
            .clone()
    }
}

const FEWEST: usize = 256;

/// How long anybody waits for a turn.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_do_not_wait_for_each_other_and_are_forgotten() {
        let turns = Turns::default();
        let held = turns.take("a", 1).await;
        for n in 0..2_000 {
            turns.take(&n.to_string(), 1).await;
        }
        let waiting = turns.0.lock().unwrap();
        assert!(waiting.by_name.len() <= FEWEST + 1);
        assert_eq!(waiting.by_name["a"].available_permits(), 0);
        drop((waiting, held));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_a_turn_for_ever() {
        let turns = Turns::default();
        let held = turns.take("a", 1).await;
        let asked = tokio::time::Instant::now();
        assert!(turns.take("a", 1).await.is_none());
        assert_eq!(asked.elapsed(), PATIENCE);
        drop(held);
        assert!(turns.take("a", 1).await.is_some());
    }

    #[tokio::test]
    async fn a_turn_begins_when_another_ends() {
        let turns = Arc::new(Turns::default());
        let first = turns.take("a", 1).await;
        let second = tokio::spawn({
            let turns = turns.clone();
            async move { turns.take("a", 1).await.is_some() }
        });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        drop(first);
        assert!(second.await.unwrap());
    }
}
