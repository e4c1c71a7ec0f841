//! What goes on beside the requests: keys are kept, expired things forgotten.

use std::time::{Duration, Instant};

use crate::app::App;
use crate::trouble::Trouble;

/// How soon a change that another process made is seen (SQLite has nothing to wake us with).
const KEY_ROUND: Duration = Duration::from_millis(250);
const SWEEP_ROUND: Duration = Duration::from_secs(60);
const SWEEP_BATCH: i64 = 1_000;

/// Keeps the keys until the future is dropped.
pub(crate) async fn keep_keys(app: App) {
    let mut rounds = tokio::time::interval(KEY_ROUND);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut trouble = Trouble::default();
    loop {
        rounds.tick().await;
        match app.keep_keys().await {
            Ok(()) if trouble.ends() => tracing::info!("signing keys are kept again"),
            Ok(()) => {}
            Err(error) if trouble.is_told(Instant::now()) => {
                tracing::error!(%error, "signing keys could not be kept; tried again until it works");
            }
            Err(_) => {}
        }
    }
}

/// Forgets what has expired, a bounded piece at a time, until the future is dropped.
pub(crate) async fn sweep(app: App) {
    let mut rounds = tokio::time::interval(SWEEP_ROUND);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut clocks = Clocks::new(app.now(), Instant::now());
    loop {
        rounds.tick().await;
        let certain = clocks.agree(app.now(), Instant::now());
        // Told once for all that follows, and without anybody who asks at /health/ready.
        if let Err(error) = app.store.check().await {
            tracing::error!(%error, "the store does not read and write: nothing is swept; tried again in a minute");
            continue;
        }
        if let Err(error) = app.say_token_life().await {
            tracing::warn!(%error, "how long tokens live could not be written down for other servers; tried again in a minute");
        }
        if !certain {
            continue;
        }
        if let Err(error) = app.forget_unused_clients().await {
            tracing::warn!(%error, "unused clients could not be forgotten; tried again in a minute");
        }
        if let Err(error) = app.end_unserved_clients().await {
            tracing::warn!(%error, "clients that left the configuration file could not be ended; tried again in a minute");
        }
        // Piece by piece until nothing is left, so that no transaction holds up the logins for long.
        loop {
            match app.store.sweep(app.now(), SWEEP_BATCH).await {
                Ok(report) if report.is_full(SWEEP_BATCH) => tokio::task::yield_now().await,
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(%error, "expired rows could not be removed; tried again in a minute");
                    break;
                }
            }
        }
    }
}

/// Tells when the clock on the wall has jumped ahead. What seems to have expired is kept for a while then: were the clock set back, a
/// revoked token would live again.
struct Clocks {
    wall_ms: i64,
    steady: Instant,
    doubt_until: Option<Instant>,
}

impl Clocks {
    fn new(wall_ms: i64, steady: Instant) -> Self {
        Self {
            wall_ms,
            steady,
            doubt_until: None,
        }
    }

    fn agree(&mut self, wall_ms: i64, steady: Instant) -> bool {
        let passed = steady.duration_since(self.steady).saturating_add(JUMP);
        let passed = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        if wall_ms.saturating_sub(self.wall_ms) > passed {
            tracing::warn!("the clock has jumped ahead; what seems to have expired is kept for an hour");
            self.doubt_until = Some(steady + DOUBT);
        }
        (self.wall_ms, self.steady) = (wall_ms, steady);
        self.doubt_until.is_none_or(|until| steady >= until)
    }
}

/// More than a clock that is being corrected gains in a minute.
const JUMP: Duration = Duration::from_secs(30);
const DOUBT: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_swept_for_an_hour_after_the_clock_jumped_ahead() {
        let (begun, minute) = (Instant::now(), 60_000_i64);
        let at = |minutes: u64| begun + Duration::from_secs(60 * minutes);
        let mut clocks = Clocks::new(0, begun);
        assert!(clocks.agree(minute, at(1)));
        assert!(!clocks.agree(120 * minute, at(2)));
        // It comes back: what was swept too early would be missing now.
        assert!(!clocks.agree(3 * minute, at(3)));
        assert!(clocks.agree(62 * minute, at(62)));
    }
}
