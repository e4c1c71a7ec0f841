//! Attempts to fetch something that many wait for: one at a time, and not too often.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::flight::Flight;

/// When something was last asked for, and what came of it. Locked for moments, and only when there is a reason to ask.
#[derive(Default)]
pub(crate) struct Attempts(Arc<Mutex<Made>>);

/// The attempts in numbers.
#[derive(Default)]
pub(crate) struct Made {
    /// When the last one began.
    last: Option<Duration>,
    flight: Option<Flight<()>>,
    /// The last that is over failed.
    pub(crate) failed: bool,
    pub(crate) begun: u64,
    pub(crate) failures: u64,
}

impl Attempts {
    /// The attempt under way, or a new one when the last began at least `pause` before `now`. An attempt says whether it succeeded.
    ///
    /// Attempts are counted, not successes: a sick server is not hammered, whatever asks for it. A clock that was set back does not make
    /// anybody wait until it has caught up.
    pub(crate) fn join<A>(
        &self,
        (now, pause): (Duration, Duration),
        attempt: impl FnOnce() -> A,
    ) -> Option<Flight<()>>
    where
        A: Future<Output = bool> + Send + 'static,
    {
        let mut made = self.made();
        if let Some(flight) = made.flight.as_ref().filter(|flight| !flight.is_over()) {
            return Some(flight.clone());
        }
        let recent = |last: Duration| (last..last + pause).contains(&now);
        if made.last.is_some_and(recent) {
            return None;
        }
        made.last = Some(now);
        made.begun += 1;
        let (attempt, noted) = (attempt(), Self(self.0.clone()));
        let flight = Flight::start(async move {
            let failed = !attempt.await;
            let mut made = noted.made();
            made.failed = failed;
            made.failures += u64::from(failed);
        });
        made.flight = Some(flight.clone());
        Some(flight)
    }

    /// What is known of them.
    pub(crate) fn made(&self) -> MutexGuard<'_, Made> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(30);

    fn at(seconds: u64) -> (Duration, Duration) {
        (Duration::from_secs(seconds), PAUSE)
    }

    #[tokio::test]
    async fn one_attempt_is_made_however_many_ask() {
        let attempts = Attempts::default();
        let (answer, answered) = tokio::sync::oneshot::channel();
        let first = attempts
            .join(at(100), || async move { answered.await.unwrap() })
            .unwrap();
        let second = attempts
            .join(at(200), || async { panic!("a second one") })
            .unwrap();
        answer.send(false).unwrap();
        assert_eq!((first.wait().await, second.wait().await), (Some(()), Some(())));
        let made = attempts.made();
        assert_eq!((made.begun, made.failures, made.failed), (1, 1, true));
    }

    #[tokio::test]
    async fn the_next_attempt_waits_unless_the_clock_was_set_back() {
        let attempts = Attempts::default();
        attempts.join(at(100), || async { true }).unwrap().wait().await;
        assert!(attempts.join(at(129), || async { true }).is_none());
        attempts.join(at(130), || async { true }).unwrap().wait().await;
        assert!(attempts.join(at(50), || async { true }).is_some());
    }
}
