//! Logout notices: which clients are still to be told that a session of theirs has ended.
//!
//! Spec: OpenID Connect Back-Channel Logout §2.7

use crate::audit::{self, NewAudit};
use crate::database::{Fields, Lane, Statement, Tx, params};
use crate::error::StoreError;
use crate::id::Id;
use crate::store::Store;

/// A client that is to be told that a session has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutNotice {
    /// The session, as the client knows it.
    pub sid: String,
    /// The client.
    pub client_id: String,
    /// Whose session it was.
    pub sub: String,
    /// How often it was tried, this time included.
    pub attempts: i64,
    /// When the session ended.
    pub created_at: i64,
}

/// Who has registered the clients that are to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisteredBy {
    /// The operator, here or in the configuration file.
    Operator,
    /// They themselves: strangers.
    Themselves,
}

impl Store {
    /// Take `batch` of the notices that are due, for `lease_ms`: until then nobody else takes them. Of a client no more than eight are
    /// taken at the same time, so that one that does not answer holds up no other.
    pub async fn claim_logout_notices(
        &self,
        (now, lease_ms): (i64, i64),
        (registered_by, batch): (RegisteredBy, i64),
    ) -> Result<Vec<LogoutNotice>, StoreError> {
        let strangers = i64::from(registered_by == RegisteredBy::Themselves);
        let (until, look) = (now.saturating_add(lease_ms), 1);
        let due = params![now, until, look, strangers];
        if self.database.read_one(&DUE, due).await?.is_none() {
            return Ok(Vec::new());
        }
        let row = params![now, until, batch, strangers];
        let rows = self
            .database
            .write(Lane::Alone, "logout_notice.claim", async move |tx| {
                tx.all(&CLAIM, row.clone()).await
            })
            .await?;
        rows.into_iter().map(|row| read(&mut row.fields())).collect()
    }

    /// A notice has come to its end, as the audit row says.
    pub async fn finish_logout_notice(
        &self,
        notice: &LogoutNotice,
        (now, audit): (i64, &NewAudit),
    ) -> Result<(), StoreError> {
        let (sid, audit) = (notice.sid.clone(), audit.clone());
        self.database
            .write(Lane::Main, "logout_notice.finish", async move |tx| {
                tx.execute(&REMOVE, params![&sid]).await?;
                audit::append(tx, &audit, now).await
            })
            .await
    }

    /// Nobody has to be told: the clients of these sessions have not asked for it.
    pub async fn drop_logout_notices(&self, sids: &[String]) -> Result<(), StoreError> {
        let sids = sids.to_vec();
        self.database
            .write(Lane::Main, "logout_notice.drop", async move |tx| {
                for sid in &sids {
                    tx.execute(&REMOVE, params![sid]).await?;
                }
                Ok(())
            })
            .await
    }

    /// A notice is tried again at `due_at`, unless somebody else has taken it meanwhile.
    pub async fn postpone_logout_notice(&self, notice: &LogoutNotice, due_at: i64) -> Result<(), StoreError> {
        let row = params![&notice.sid, notice.attempts, due_at];
        self.database
            .write(Lane::Main, "logout_notice.postpone", async move |tx| {
                tx.execute(&POSTPONE, row.clone()).await.map(|_| ())
            })
            .await
    }
}

/// Note whom the end of this session concerns: its client, and those whose sessions began in it and go on. Clients that have never seen
/// an ID token know no session (OpenID Connect scope `openid`).
pub(crate) async fn note(tx: Tx<'_>, session: Id, now: i64) -> Result<(), StoreError> {
    tx.execute(&NOTE, params![session, now]).await.map(|_| ())
}

fn read(row: &mut Fields) -> Result<LogoutNotice, StoreError> {
    Ok(LogoutNotice {
        sid: row.take()?,
        client_id: row.take()?,
        sub: row.take()?,
        attempts: row.take()?,
        created_at: row.take()?,
    })
}

static NOTE: Statement = Statement::new(
    "logout_notice.note",
    "INSERT INTO logout_notices (sid, client_id, sub, attempts, due_at, created_at)
     SELECT s.sid, s.client_id, u.sub, 0, CAST($2 AS BIGINT), CAST($2 AS BIGINT)
     FROM sessions s JOIN users u ON u.id = s.user_id
     WHERE s.client_id <> '' AND (s.id = $1 OR (s.began_in = $1 AND s.ended_at IS NULL))
       AND EXISTS (SELECT f.id FROM families f WHERE f.session_id = s.id AND ' ' || f.scope || ' ' LIKE '% openid %')
     ON CONFLICT (sid) DO NOTHING",
);

/// Up to `$3` notices that are due at `$1` and not more than a client may have under way; its users take turns. Nobody is at one for longer than until `$2`.
macro_rules! due {
    () => {
        "SELECT n.sid FROM
          (SELECT l.sid, l.attempts, l.due_at,
                  COALESCE(t.many, 0) + ROW_NUMBER() OVER (PARTITION BY l.client_id ORDER BY l.attempts, l.nth, l.due_at, l.sid) AS turn
           FROM (SELECT sid, client_id, attempts, due_at,
                        ROW_NUMBER() OVER (PARTITION BY client_id, sub ORDER BY attempts, due_at, sid) AS nth
                 FROM logout_notices WHERE due_at <= $1) l
             LEFT JOIN clients c ON c.client_id = l.client_id
             LEFT JOIN (SELECT client_id, COUNT(*) AS many FROM logout_notices
                        WHERE taken AND due_at > $1 AND due_at <= $2 GROUP BY client_id) t ON t.client_id = l.client_id
           WHERE CASE WHEN c.registered_with IS NULL THEN 0 ELSE 1 END = CAST($4 AS BIGINT)) n
        WHERE n.turn <= 8 ORDER BY n.turn, n.attempts, n.due_at, n.sid LIMIT $3"
    };
}

static DUE: Statement = Statement::new("logout_notice.due", due!());

/// The outer condition is looked at once more when another process held the row.
static CLAIM: Statement = Statement::new(
    "logout_notice.claim",
    concat!(
        "UPDATE logout_notices SET due_at = $2, attempts = attempts + 1, taken = TRUE
     WHERE due_at <= $1 AND sid IN (",
        due!(),
        ") RETURNING sid, client_id, sub, attempts, created_at"
    ),
);

static REMOVE: Statement = Statement::new(
    "logout_notice.remove",
    "DELETE FROM logout_notices WHERE sid = $1",
);

static POSTPONE: Statement = Statement::new(
    "logout_notice.postpone",
    "UPDATE logout_notices SET due_at = $3, taken = FALSE WHERE sid = $1 AND attempts = $2",
);

pub(crate) static STATEMENTS: [&Statement; 5] = [&NOTE, &DUE, &CLAIM, &REMOVE, &POSTPONE];
