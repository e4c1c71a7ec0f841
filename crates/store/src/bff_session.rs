//! Sessions of browsers at a gateway: what is kept of them is sealed under a cookie that only the browser has.
//!
//! Spec: RFC 10017 §6.1 (tokens stay at the server's side) · OpenID Connect Back-Channel Logout §2.7

use crate::database::{Fields, Lane, Statement, params};
use crate::error::StoreError;
use crate::id;
use crate::store::Store;

/// A login that was good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBffSession {
    /// SHA-256 of the cookie.
    pub digest: [u8; 32],
    /// The gateway's name at its issuer.
    pub client_id: String,
    /// Who logged in.
    pub sub: String,
    /// The session at the issuer; empty when it names none.
    pub sid: String,
    /// What logged in.
    pub user_agent: String,
    /// When the session ends at the latest.
    pub absolute_expires_at: i64,
    /// What only the cookie opens.
    pub sealed: Vec<u8>,
}

/// A session that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BffSession {
    /// What its user sees of it.
    pub name: String,
    /// Whose it is.
    pub sub: String,
    /// The session at the issuer; empty when it names none.
    pub sid: String,
    /// What logged in.
    pub user_agent: String,
    /// When it began.
    pub created_at: i64,
    /// When it was last used, to the minute.
    pub last_seen_at: i64,
    /// Whether a request has come with it since the login.
    pub used: bool,
    /// When it ends at the latest.
    pub absolute_expires_at: i64,
    /// Grows with every change of `sealed`.
    pub version: i64,
    /// What only the cookie opens.
    pub sealed: Vec<u8>,
}

impl Store {
    /// Begin a session, and forget some that have expired.
    pub async fn begin_bff_session(&self, new: &NewBffSession, now: i64) -> Result<(), StoreError> {
        let (name, new) = (id::random_name()?, new.clone());
        self.database
            .write(Lane::Main, "bff_session.begin", async move |tx| {
                tx.execute(&SWEEP, params![now, SWEPT_AT_ONCE]).await?;
                let row = params![
                    new.digest.to_vec(),
                    &name,
                    &new.client_id,
                    &new.sub,
                    &new.sid,
                    &new.user_agent,
                    now,
                    new.absolute_expires_at,
                    new.sealed.clone(),
                ];
                tx.execute(&INSERT, row).await.map(|_| ())
            })
            .await
    }

    /// The session of the cookie with this digest that lives at `now`, unused for `idle_ms` at most.
    pub async fn bff_session(
        &self,
        digest: &[u8; 32],
        (now, idle_ms): (i64, i64),
    ) -> Result<Option<BffSession>, StoreError> {
        let row = params![digest.to_vec(), now, now.saturating_sub(idle_ms)];
        let row = self.database.read_one(&BY_DIGEST, row).await?;
        row.map(|row| read(&mut row.fields())).transpose()
    }

    /// Which of these live at `now`, unused for `idle_ms` at most.
    pub async fn living_bff_sessions(
        &self,
        digests: &[[u8; 32]],
        (now, idle_ms): (i64, i64),
    ) -> Result<Vec<[u8; 32]>, StoreError> {
        let mut living = Vec::with_capacity(digests.len());
        for some in digests.chunks(LOOKED_UP_AT_ONCE) {
            let mut row = params![now, now.saturating_sub(idle_ms)];
            // The statement has one length: what is left of it asks for the last one again.
            let padding = some.iter().rev().take(1).cycle();
            let asked = some.iter().chain(padding).take(LOOKED_UP_AT_ONCE);
            row.extend(asked.flat_map(|digest| params![digest.to_vec()]));
            let rows = self.database.read(&LIVING, row).await?;
            for row in rows {
                let digest: Vec<u8> = row.fields().take()?;
                living.extend(<[u8; 32]>::try_from(digest.as_slice()).ok());
            }
        }
        Ok(living)
    }

    /// The session is in use. Written once a minute at most.
    pub async fn touch_bff_session(&self, digest: &[u8; 32], now: i64) -> Result<(), StoreError> {
        let row = params![digest.to_vec(), now, now.saturating_sub(60_000)];
        self.change("bff_session.touch", &TOUCH, row).await.map(|_| ())
    }

    /// Take the lease of the one who refreshes its tokens, or keep it for longer. Says whether it is ours.
    pub async fn lease_bff_session(
        &self,
        digest: &[u8; 32],
        owner: &str,
        (now, until): (i64, i64),
    ) -> Result<bool, StoreError> {
        let row = params![digest.to_vec(), owner, now, until];
        Ok(self.change("bff_session.lease", &LEASE, row).await? > 0)
    }

    /// Give the lease back.
    pub async fn release_bff_session(&self, digest: &[u8; 32], owner: &str) -> Result<(), StoreError> {
        let row = params![digest.to_vec(), owner];
        self.change("bff_session.release", &RELEASE, row)
            .await
            .map(|_| ())
    }

    /// Keep something else under the cookie, when the session is still the one of this version; gives the lease back. Says whether it was.
    pub async fn renew_bff_session(
        &self,
        digest: &[u8; 32],
        (version, sealed): (i64, Vec<u8>),
    ) -> Result<bool, StoreError> {
        let row = params![digest.to_vec(), version, sealed];
        Ok(self.change("bff_session.renew", &RENEW, row).await? > 0)
    }

    /// End a session. Says whether there was one.
    pub async fn end_bff_session(&self, digest: &[u8; 32]) -> Result<bool, StoreError> {
        let row = params![digest.to_vec()];
        Ok(self.change("bff_session.end", &END, row).await? > 0)
    }

    /// End the session that its user knows by this name. Says whether there was one.
    pub async fn end_bff_session_named(
        &self,
        (client_id, sub): (&str, &str),
        name: &str,
    ) -> Result<bool, StoreError> {
        let row = params![client_id, sub, name];
        Ok(self.change("bff_session.end_named", &END_NAMED, row).await? > 0)
    }

    /// End what the issuer says has ended: the sessions of this `sid`, of this user, or of both where both are said. How many there were.
    pub async fn end_bff_sessions(
        &self,
        client_id: &str,
        sub: Option<&str>,
        sid: Option<&str>,
    ) -> Result<u64, StoreError> {
        match (sub, sid.filter(|sid| !sid.is_empty())) {
            (Some(sub), Some(sid)) => {
                let row = params![client_id, sub, sid];
                self.change("bff_session.end_of_both", &END_OF_BOTH, row).await
            }
            (None, Some(sid)) => {
                let row = params![client_id, sid];
                self.change("bff_session.end_of_sid", &END_OF_SID, row).await
            }
            (Some(sub), None) => {
                let row = params![client_id, sub];
                self.change("bff_session.end_of_sub", &END_OF_SUB, row).await
            }
            (None, None) => Ok(0),
        }
    }

    /// The user's sessions that live at `now`, the newest first.
    pub async fn bff_sessions_of(
        &self,
        (client_id, sub): (&str, &str),
        (now, idle_ms): (i64, i64),
    ) -> Result<Vec<BffSession>, StoreError> {
        let row = params![client_id, sub, now, now.saturating_sub(idle_ms)];
        let rows = self.database.read(&OF_SUB, row).await?;
        rows.into_iter().map(|row| read(&mut row.fields())).collect()
    }

    async fn change(
        &self,
        label: &'static str,
        statement: &'static Statement,
        row: Vec<crate::database::Param>,
    ) -> Result<u64, StoreError> {
        self.database
            .write(Lane::Main, label, async move |tx| {
                tx.execute(statement, row.clone()).await
            })
            .await
    }
}

fn read(row: &mut Fields) -> Result<BffSession, StoreError> {
    Ok(BffSession {
        name: row.take()?,
        sub: row.take()?,
        sid: row.take()?,
        user_agent: row.take()?,
        created_at: row.take()?,
        last_seen_at: row.take()?,
        used: row.take::<i64>()? != 0,
        absolute_expires_at: row.take()?,
        version: row.take()?,
        sealed: row.take()?,
    })
}

/// A session that nobody has used for long goes with its absolute end.
static SWEEP: Statement = Statement::new(
    "bff_session.sweep",
    "DELETE FROM bff_sessions WHERE digest IN
       (SELECT b.digest FROM bff_sessions b WHERE b.absolute_expires_at <= $1 ORDER BY b.absolute_expires_at LIMIT $2)",
);
static INSERT: Statement = Statement::new(
    "bff_session.insert",
    "INSERT INTO bff_sessions
       (digest, name, client_id, sub, sid, user_agent, created_at, last_seen_at, used, absolute_expires_at, version, sealed,
        lease_owner, lease_until)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $7, 0, $8, 1, $9, '', 0)",
);
static BY_DIGEST: Statement = Statement::new(
    "bff_session.by_digest",
    "SELECT name, sub, sid, user_agent, created_at, last_seen_at, used, absolute_expires_at, version, sealed FROM bff_sessions
     WHERE digest = $1 AND absolute_expires_at > $2 AND last_seen_at > $3",
);
static LIVING: Statement = Statement::new(
    "bff_session.living",
    "SELECT digest FROM bff_sessions WHERE absolute_expires_at > $1 AND last_seen_at > $2 AND digest IN
       ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27,
        $28, $29, $30, $31, $32, $33, $34)",
);
static OF_SUB: Statement = Statement::new(
    "bff_session.of_sub",
    "SELECT name, sub, sid, user_agent, created_at, last_seen_at, used, absolute_expires_at, version, sealed FROM bff_sessions
     WHERE client_id = $1 AND sub = $2 AND absolute_expires_at > $3 AND last_seen_at > $4 ORDER BY created_at DESC, name",
);
static TOUCH: Statement = Statement::new(
    "bff_session.touch",
    "UPDATE bff_sessions SET used = 1, last_seen_at = CASE WHEN last_seen_at < $2 THEN $2 ELSE last_seen_at END
     WHERE digest = $1 AND (used = 0 OR last_seen_at <= $3)",
);
static LEASE: Statement = Statement::new(
    "bff_session.lease",
    "UPDATE bff_sessions SET lease_owner = $2, lease_until = $4 WHERE digest = $1 AND (lease_until <= $3 OR lease_owner = $2)",
);
static RELEASE: Statement = Statement::new(
    "bff_session.release",
    "UPDATE bff_sessions SET lease_owner = '', lease_until = 0 WHERE digest = $1 AND lease_owner = $2",
);
static RENEW: Statement = Statement::new(
    "bff_session.renew",
    "UPDATE bff_sessions SET sealed = $3, version = version + 1, lease_owner = '', lease_until = 0 WHERE digest = $1 AND version = $2",
);
static END: Statement = Statement::new("bff_session.end", "DELETE FROM bff_sessions WHERE digest = $1");
static END_NAMED: Statement = Statement::new(
    "bff_session.end_named",
    "DELETE FROM bff_sessions WHERE client_id = $1 AND sub = $2 AND name = $3",
);
static END_OF_BOTH: Statement = Statement::new(
    "bff_session.end_of_both",
    "DELETE FROM bff_sessions WHERE client_id = $1 AND sub = $2 AND sid = $3",
);
static END_OF_SID: Statement = Statement::new(
    "bff_session.end_of_sid",
    "DELETE FROM bff_sessions WHERE client_id = $1 AND sid = $2",
);
static END_OF_SUB: Statement = Statement::new(
    "bff_session.end_of_sub",
    "DELETE FROM bff_sessions WHERE client_id = $1 AND sub = $2",
);

/// As many as `LIVING` has places for.
const LOOKED_UP_AT_ONCE: usize = 32;
/// As many go with each login at most.
const SWEPT_AT_ONCE: i64 = 100;

pub(crate) static STATEMENTS: [&Statement; 14] = [
    &SWEEP,
    &INSERT,
    &BY_DIGEST,
    &LIVING,
    &OF_SUB,
    &TOUCH,
    &LEASE,
    &RELEASE,
    &RENEW,
    &END,
    &END_NAMED,
    &END_OF_BOTH,
    &END_OF_SID,
    &END_OF_SUB,
];
