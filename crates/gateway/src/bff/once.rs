//! What counts once, at whichever replica it comes first.
//!
//! Spec: OpenID Connect Back-Channel Logout §2.6 (jti) · RFC 6749 §4.1.2 (a code is used once)

use carnet_jose::{base64url, primitive};

use super::app::{Bff, no_store};
use crate::refusal::Refusal;

impl Bff {
    /// Whether nobody has come with this before.
    pub(super) async fn is_first(&self, kind: &str, id: &str) -> Result<bool, Refusal> {
        let times = (self.now_ms(), REMEMBERED_MS);
        let first = self.parts.store.is_first(&key(kind, id), times).await;
        first.map_err(|error| no_store(&error))
    }

    /// As if it had not come: nothing was done with it.
    pub(super) async fn give_up(&self, kind: &str, id: &str) {
        if let Err(error) = self.parts.store.forget_first(&key(kind, id)).await {
            tracing::warn!(%error, "what was not done counts as done for ten minutes");
        }
    }
}

fn key(kind: &str, id: &str) -> String {
    let digest = primitive::sha256(id.as_bytes());
    format!("bff {kind} {}", base64url::encode(&digest))
}

/// Longer than any logout token is believed, and as long as a login may take.
const REMEMBERED_MS: i64 = 10 * 60_000;
