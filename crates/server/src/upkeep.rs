//! What goes on beside the requests: keys are kept, expired things forgotten.

use std::time::Duration;

use crate::app::App;

/// How soon a change that another process made is seen (SQLite has nothing to wake us with).
const KEY_ROUND: Duration = Duration::from_millis(250);
const SWEEP_ROUND: Duration = Duration::from_secs(60);
const SWEEP_BATCH: i64 = 1_000;

/// Keeps the keys until the future is dropped.
pub(crate) async fn keep_keys(app: App) {
    let mut rounds = tokio::time::interval(KEY_ROUND);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        rounds.tick().await;
        let outcome = app.keep_keys().await;
        if let (Err(error), false) = (&outcome, failing) {
            tracing::error!(%error, "signing keys could not be kept; tried again until it works");
        }
        failing = outcome.is_err();
    }
}

/// Forgets what has expired, a bounded piece at a time, until the future is dropped.
pub(crate) async fn sweep(app: App) {
    let mut rounds = tokio::time::interval(SWEEP_ROUND);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
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
