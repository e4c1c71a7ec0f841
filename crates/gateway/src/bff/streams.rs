//! Answers that go on for long: they end with the session that asked for them, wherever and however it ended.
//!
//! The store is looked at, rather than listened to: what has ended, expired, or was lost with a database is one question, the same for every kind of
//! store, and a word that does not arrive keeps nothing open.
//!
//! Spec: RFC 10017 §6.1.3.2 · OpenID Connect Back-Channel Logout §2.7

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::app::Bff;
use super::session::Session;

impl Bff {
    /// Comes to its end when the session does, not later than two seconds after it.
    pub fn end_of(&self, session: &Session) -> impl Future<Output = ()> + Send + use<> {
        let (mut over, first) = self.parts.streams.open(session.secret.digest);
        if first {
            tokio::spawn(watch(self.clone()));
        }
        async move {
            if over.wait_for(|over| *over).await.is_err() {
                // Nobody looks any more: the runtime is about to end.
                std::future::pending().await
            }
        }
    }

    /// Another app, or none, takes the place of this one: what its sessions have open ends, unless the other goes on with them, by its own measure.
    pub(crate) fn make_room(&self, next: Option<&Self>) {
        let streams = &self.parts.streams;
        match next.filter(|next| Arc::ptr_eq(&next.parts.streams, streams)) {
            Some(next) => streams.judge_by(next.parts.settings.idle_ms),
            None => streams.end_all(),
        }
    }
}

async fn watch(bff: Bff) {
    let mut failing = false;
    loop {
        let _ = timeout(LOOK, bff.parts.streams.next_look()).await;
        let Some(digests) = bff.parts.streams.waiting() else {
            return;
        };
        let times = (bff.now_ms(), bff.parts.streams.idle_ms());
        match bff.parts.store.living(&digests, times).await {
            Ok(living) => {
                failing = false;
                let living: HashSet<_> = living.into_iter().collect();
                let ended = digests.iter().filter(|digest| !living.contains(*digest));
                ended.for_each(|digest| bff.parts.streams.end(digest));
            }
            // Nobody is logged out by that: what is open ends with its token at the latest.
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(%error, code = error.code(), "whether sessions with open streams live cannot be said");
                }
            }
        }
    }
}

/// How often the store is asked whether the sessions with something open still live.
const LOOK: Duration = Duration::from_millis(750);
