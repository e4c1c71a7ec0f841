//! Forgetting what has expired, in bounded steps.

use crate::database::{Lane, Statement, params};
use crate::error::StoreError;
use crate::session::DAY_MS;
use crate::store::Store;

/// How much a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Revocation entries that can match no token any more.
    pub revocations: u64,
    /// Counters whose window has ended.
    pub throttles: u64,
    /// Families past their absolute expiry.
    pub families: u64,
    /// Sessions without a family, past the same day.
    pub sessions: u64,
    /// Tickets that have expired.
    pub tickets: u64,
    /// Clients that had registered themselves, and were deleted long ago.
    pub clients: u64,
}

impl SweepReport {
    /// Whether one of the steps was full, so that another sweep has work left.
    pub fn is_full(&self, batch: i64) -> bool {
        [
            self.revocations,
            self.throttles,
            self.families,
            self.sessions,
            self.tickets,
            self.clients,
        ]
        .into_iter()
        .any(|removed| i64::try_from(removed).is_ok_and(|removed| removed >= batch))
    }
}

impl Store {
    /// Remove what expired before `now`: of each kind `batch` rows at most, each kind in its own transaction.
    ///
    /// Users, keys, audit rows and the clients of the operator stay.
    pub async fn sweep(&self, now: i64, batch: i64) -> Result<SweepReport, StoreError> {
        // An access token may live for a day after its session: until then it can be taken back with it.
        let day = now.div_euclid(DAY_MS) - 1;
        Ok(SweepReport {
            revocations: self.sweep_one(&REVOCATIONS, now, batch).await?,
            throttles: self.sweep_one(&THROTTLES, now, batch).await?,
            families: self.sweep_one(&FAMILIES, day, batch).await?,
            sessions: self.sweep_one(&SESSIONS, day, batch).await?,
            tickets: self.sweep_one(&TICKETS, now, batch).await?,
            clients: self.sweep_one(&CLIENTS, now, batch).await?,
        })
    }

    async fn sweep_one(
        &self,
        statement: &'static Statement,
        bound: i64,
        batch: i64,
    ) -> Result<u64, StoreError> {
        self.database
            .write(Lane::Alone, statement.name, async move |tx| {
                tx.execute(statement, params![bound, batch]).await
            })
            .await
    }
}

static REVOCATIONS: Statement = Statement::new(
    "sweep.revocations",
    "DELETE FROM revocations WHERE cursor IN
       (SELECT r.cursor FROM revocations r WHERE r.expires < $1 ORDER BY r.expires LIMIT $2)",
);

static THROTTLES: Statement = Statement::new(
    "sweep.throttles",
    "DELETE FROM throttles WHERE window_ends_at < $1 AND key IN
       (SELECT t.key FROM throttles t WHERE t.window_ends_at < $1 ORDER BY t.window_ends_at LIMIT $2)",
);

static FAMILIES: Statement = Statement::new(
    "sweep.families",
    "DELETE FROM families WHERE id IN
       (SELECT f.id FROM families f WHERE f.sweep_day < $1 ORDER BY f.sweep_day LIMIT $2)",
);

static SESSIONS: Statement = Statement::new(
    "sweep.sessions",
    "DELETE FROM sessions WHERE id IN
       (SELECT s.id FROM sessions s WHERE s.sweep_day < $1
          AND NOT EXISTS (SELECT f.id FROM families f WHERE f.session_id = s.id)
        ORDER BY s.sweep_day LIMIT $2)",
);

/// A code that bought tokens stays a day longer: seen again, it takes them along, for as long as they may live. One that is being redeemed has a minute to
/// buy.
static TICKETS: Statement = Statement::new(
    "sweep.tickets",
    "DELETE FROM tickets WHERE digest IN
       (SELECT t.digest FROM tickets t
        WHERE t.expires_at < $1 AND (t.kind <> 'code'
          OR t.expires_at < $1 - CASE WHEN t.bought IS NULL THEN 60000 ELSE 86400000 END)
        ORDER BY t.expires_at LIMIT $2)",
);

/// Nobody gets the name of a client that registered itself again: it was drawn at random. A month later its tokens have ended.
static CLIENTS: Statement = Statement::new(
    "sweep.clients",
    "DELETE FROM clients WHERE id IN
       (SELECT c.id FROM clients c
        WHERE c.state = 'deleted' AND c.registered_with IS NOT NULL AND c.updated_at < $1 - 2678400000 LIMIT $2)",
);

pub(crate) static STATEMENTS: [&Statement; 6] =
    [&REVOCATIONS, &THROTTLES, &FAMILIES, &SESSIONS, &TICKETS, &CLIENTS];
