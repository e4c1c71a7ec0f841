//! Sessions that can still be used: what people are shown of their own, and whom a logout concerns.

use crate::database::{Statement, params};
use crate::error::StoreError;
use crate::id::Id;
use crate::store::Store;

/// A session that has neither ended nor expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveSession {
    /// Its name.
    pub sid: String,
    /// The client that began it; empty for a browser's own.
    pub client_id: String,
    /// The browser session with which it ends, as long as that lives.
    pub ends_with: Option<String>,
    /// When it began.
    pub created_at: i64,
    /// When it was last used: its beginning, the newest refresh, the newest answer to a client.
    pub last_seen_at: i64,
    /// From where it began.
    pub address: String,
    /// What began it.
    pub user_agent: String,
}

/// A client's session behind a logout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConcernedClient {
    /// The client.
    pub client_id: String,
    /// The session, as it knows it.
    pub sid: String,
}

impl Store {
    /// The user's sessions that live at `now`, newest first. A browser's own lives `idle_ms` unused and `absolute_ms` in all.
    pub async fn live_sessions_of(
        &self,
        user: Id,
        now: i64,
        (idle_ms, absolute_ms): (i64, i64),
    ) -> Result<Vec<LiveSession>, StoreError> {
        let (seen_after, begun_after) = (now.saturating_sub(idle_ms), now.saturating_sub(absolute_ms));
        let row = params![user, now, seen_after, begun_after];
        let rows = self.database.read(&LIVE, row).await?;
        rows.into_iter()
            .map(|row| {
                let mut row = row.fields();
                Ok(LiveSession {
                    sid: row.take()?,
                    client_id: row.take()?,
                    ends_with: row.take()?,
                    created_at: row.take()?,
                    last_seen_at: row.take()?,
                    address: row.take()?,
                    user_agent: row.take()?,
                })
            })
            .collect()
    }

    /// Whether a session is this login in a browser, or a client's that began in it or stands on it, even if it has ended.
    pub async fn is_within(&self, sid: &str, browser_sid: &str) -> Result<bool, StoreError> {
        let row = self.database.read_one(&WITHIN, params![sid, browser_sid]).await?;
        Ok(row.is_some())
    }

    /// The clients that the end of this session concerns: its own, and those whose sessions began in it. Newest first, `limit` at most.
    pub async fn clients_concerned(&self, sid: &str, limit: i64) -> Result<Vec<ConcernedClient>, StoreError> {
        let rows = self.database.read(&CONCERNED, params![sid, limit]).await?;
        rows.into_iter()
            .map(|row| {
                let mut row = row.fields();
                Ok(ConcernedClient {
                    client_id: row.take()?,
                    sid: row.take()?,
                })
            })
            .collect()
    }
}

static LIVE: Statement = Statement::new(
    "live_session.of_user",
    "SELECT s.sid, s.client_id, p.sid, s.created_at,
            COALESCE((SELECT MAX(CASE WHEN f.issued_at > f.idle_expires_at - f.idle_ms THEN f.issued_at
                                      ELSE f.idle_expires_at - f.idle_ms END)
                      FROM families f WHERE f.session_id = s.id), s.last_seen_at) AS last_seen_at,
            s.address, s.user_agent
     FROM sessions s LEFT JOIN sessions p
       ON p.id = s.parent_id AND p.ended_at IS NULL AND p.last_seen_at > $3 AND p.created_at > $4
     WHERE s.user_id = $1 AND s.ended_at IS NULL
       AND ((s.client_id = '' AND s.last_seen_at > $3 AND s.created_at > $4)
         OR EXISTS (SELECT f.id FROM families f WHERE f.session_id = s.id AND f.revoked_at IS NULL
                      AND f.idle_expires_at > $2 AND f.absolute_expires_at > $2))
     ORDER BY s.id DESC",
);

static WITHIN: Statement = Statement::new(
    "live_session.within",
    "SELECT s.sid FROM sessions s JOIN sessions b ON b.sid = $2
     WHERE s.sid = $1 AND s.user_id = b.user_id AND (s.id = b.id OR s.began_in = b.id OR s.parent_id = b.id)",
);

static CONCERNED: Statement = Statement::new(
    "live_session.concerned",
    "SELECT s.client_id, s.sid FROM sessions s
     WHERE s.client_id <> '' AND s.ended_at IS NULL
       AND (s.sid = $1 OR s.began_in = (SELECT b.id FROM sessions b WHERE b.sid = $1))
     ORDER BY s.id DESC LIMIT $2",
);

pub(crate) static STATEMENTS: [&Statement; 3] = [&LIVE, &WITHIN, &CONCERNED];
