//! Where a gateway keeps the sessions of browsers: in a database, or in Redis. What both must do is one suite of tests.
//!
//! Spec: RFC 10017 §6.1 (tokens stay at the server's side) · OpenID Connect Back-Channel Logout §2.7

use crate::bff_redis::RedisSessions;
use crate::bff_session::{BffSession, NewBffSession};
use crate::error::StoreError;
use crate::store::Store;
use crate::throttle::ThrottleRule;

/// The sessions of an app. Cheap to clone. Times are milliseconds since 1970.
#[derive(Clone, Debug)]
pub enum BffSessions {
    /// Rows.
    Database(Store),
    /// Keys.
    Redis(RedisSessions),
}

impl BffSessions {
    /// Begins a session, and forgets some that have expired.
    pub async fn begin(&self, new: &NewBffSession, now: i64) -> Result<(), StoreError> {
        match self {
            Self::Database(store) => store.begin_bff_session(new, now).await,
            Self::Redis(redis) => redis.begin(new, now).await,
        }
    }

    /// The session of the cookie with this digest that lives at `now`, unused for `idle_ms` at most.
    pub async fn find(&self, digest: &[u8; 32], times: (i64, i64)) -> Result<Option<BffSession>, StoreError> {
        match self {
            Self::Database(store) => store.bff_session(digest, times).await,
            Self::Redis(redis) => redis.find(digest, times).await,
        }
    }

    /// Which of these live at `now`, unused for `idle_ms` at most.
    pub async fn living(&self, digests: &[[u8; 32]], times: (i64, i64)) -> Result<Vec<[u8; 32]>, StoreError> {
        match self {
            Self::Database(store) => store.living_bff_sessions(digests, times).await,
            Self::Redis(redis) => redis.living(digests, times).await,
        }
    }

    /// The session is in use. Written once a minute at most.
    pub async fn touch(&self, digest: &[u8; 32], now: i64) -> Result<(), StoreError> {
        match self {
            Self::Database(store) => store.touch_bff_session(digest, now).await,
            Self::Redis(redis) => redis.touch(digest, now).await,
        }
    }

    /// Takes the lease of the one who refreshes its tokens at `now`, or keeps it for longer. Says whether it is ours.
    pub async fn lease(
        &self,
        digest: &[u8; 32],
        owner: &str,
        now_and_until: (i64, i64),
    ) -> Result<bool, StoreError> {
        match self {
            Self::Database(store) => store.lease_bff_session(digest, owner, now_and_until).await,
            Self::Redis(redis) => redis.lease(digest, owner, now_and_until).await,
        }
    }

    /// Gives the lease back.
    pub async fn release(&self, digest: &[u8; 32], owner: &str) -> Result<(), StoreError> {
        match self {
            Self::Database(store) => store.release_bff_session(digest, owner).await,
            Self::Redis(redis) => redis.release(digest, owner).await,
        }
    }

    /// Keeps something else under the cookie, when the session is still the one of this version; gives the lease back. Says whether it was.
    pub async fn renew(
        &self,
        digest: &[u8; 32],
        version_and_sealed: (i64, Vec<u8>),
    ) -> Result<bool, StoreError> {
        match self {
            Self::Database(store) => store.renew_bff_session(digest, version_and_sealed).await,
            Self::Redis(redis) => redis.renew(digest, version_and_sealed).await,
        }
    }

    /// Ends a session. Says whether there was one.
    pub async fn end(&self, digest: &[u8; 32]) -> Result<bool, StoreError> {
        match self {
            Self::Database(store) => store.end_bff_session(digest).await,
            Self::Redis(redis) => redis.end(digest).await,
        }
    }

    /// Ends the session that its user knows by this name. Says whether there was one.
    pub async fn end_named(&self, (client_id, sub): (&str, &str), name: &str) -> Result<bool, StoreError> {
        // No session is called so.
        if name.is_empty() {
            return Ok(false);
        }
        match self {
            Self::Database(store) => store.end_bff_session_named((client_id, sub), name).await,
            Self::Redis(redis) => {
                let ended = redis.end_where(client_id, (Some(sub), None, Some(name))).await?;
                Ok(ended > 0)
            }
        }
    }

    /// Ends what the issuer says has ended: the sessions of this `sid`, of this user, or of both where both are said. How many there were.
    pub async fn end_said(
        &self,
        client_id: &str,
        (sub, sid): (Option<&str>, Option<&str>),
    ) -> Result<u64, StoreError> {
        match self {
            Self::Database(store) => store.end_bff_sessions(client_id, sub, sid).await,
            Self::Redis(redis) => redis.end_where(client_id, (sub, sid, None)).await,
        }
    }

    /// The user's sessions that live at `now`, the newest first.
    pub async fn list(&self, of: (&str, &str), times: (i64, i64)) -> Result<Vec<BffSession>, StoreError> {
        match self {
            Self::Database(store) => store.bff_sessions_of(of, times).await,
            Self::Redis(redis) => redis.list(of, times).await,
        }
    }

    /// Whether nobody has come with this key for `window_ms`.
    pub async fn is_first(&self, key: &str, (now, window_ms): (i64, i64)) -> Result<bool, StoreError> {
        match self {
            Self::Database(store) => {
                let counted = store.count_attempt(&[once(key, window_ms)], now).await?;
                Ok(counted.is_none())
            }
            Self::Redis(redis) => redis.is_first(key, window_ms).await,
        }
    }

    /// Whether somebody has come with it; nobody comes by asking.
    pub async fn has_come(&self, key: &str, (now, window_ms): (i64, i64)) -> Result<bool, StoreError> {
        match self {
            Self::Database(store) => store.is_full(&once(key, window_ms), now).await,
            Self::Redis(redis) => redis.has_come(key).await,
        }
    }

    /// As if nobody had come with it.
    pub async fn forget_first(&self, key: &str) -> Result<(), StoreError> {
        match self {
            Self::Database(store) => store.clear_throttles(&[key.to_owned()]).await,
            Self::Redis(redis) => redis.forget_first(key).await,
        }
    }

    /// Forgets some of what came first long ago, and says whether there is more. Redis does so by itself.
    pub async fn sweep(&self, now: i64, batch: i64) -> Result<bool, StoreError> {
        match self {
            Self::Database(store) => Ok(store.sweep(now, batch).await?.is_full(batch)),
            Self::Redis(_) => Ok(false),
        }
    }
}

fn once(key: &str, window_ms: i64) -> ThrottleRule {
    ThrottleRule {
        key: key.to_owned(),
        limit: 1,
        window_ms,
    }
}
