//! What counts once, at whichever replica it comes first.
//!
//! Spec: OpenID Connect Back-Channel Logout §2.6 (jti) · RFC 6749 §4.1.2 (a code is used once)

use std::sync::atomic::Ordering;

use carnet_jose::{base64url, primitive};

use super::app::{Bff, no_store};
use super::session::MINUTE_MS;
use crate::refusal::Refusal;

impl Bff {
    /// Whether nobody has come with this before.
    pub(super) async fn is_first(&self, kind: &str, id: &str) -> Result<bool, Refusal> {
        let now = self.now_ms();
        if self.is_time_to_forget(now) {
            self.parts.tasks.spawn(forget(self.clone(), now));
        }
        let times = (now, REMEMBERED_MS);
        let first = self.parts.store.is_first(&key(kind, id), times).await;
        first.map_err(|error| no_store(&error))
    }

    /// Whether somebody has; whoever asks does not come by it.
    pub(super) async fn has_come(&self, kind: &str, id: &str) -> Result<bool, Refusal> {
        let times = (self.now_ms(), REMEMBERED_MS);
        let come = self.parts.store.has_come(&key(kind, id), times).await;
        come.map_err(|error| no_store(&error))
    }

    /// Whether a minute has passed since the last time.
    fn is_time_to_forget(&self, now: i64) -> bool {
        let swept = &self.parts.swept;
        let last = swept.load(Ordering::Relaxed);
        let due = !(last..last.saturating_add(MINUTE_MS)).contains(&now);
        due && swept
            .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// As if it had not come: nothing was done with it.
    pub(super) async fn give_up(&self, kind: &str, id: &str) {
        if let Err(error) = self.parts.store.forget_first(&key(kind, id)).await {
            tracing::warn!(%error, "what was not done counts as done for ten minutes");
        }
    }
}

/// What came first and has had its time goes, before more of it comes.
async fn forget(bff: Bff, now: i64) {
    loop {
        match bff.parts.store.sweep(now, FORGOTTEN_AT_ONCE).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(%error, "what has expired could not be forgotten");
                return;
            }
        }
    }
}

fn key(kind: &str, id: &str) -> String {
    let digest = primitive::sha256(id.as_bytes());
    format!("bff {kind} {}", base64url::encode(&digest))
}

/// Longer than any logout token is believed, and as long as a login may take.
const REMEMBERED_MS: i64 = 10 * 60_000;
const FORGOTTEN_AT_ONCE: i64 = 500;
