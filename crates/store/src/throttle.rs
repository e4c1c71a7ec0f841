//! Counters of attempts: logins, codes, one-time passwords. Rows, so that a restart forgives nothing.

use crate::database::{Fields, Lane, Statement, Tx, params};
use crate::error::StoreError;
use crate::store::Store;

/// How many attempts one key may see in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThrottleRule {
    /// What is counted, such as an account or an address; the caller hashes it.
    pub key: String,
    /// How many attempts a window holds.
    pub limit: i64,
    /// How long a window is, from its first attempt.
    pub window_ms: i64,
}

impl Store {
    /// Count an attempt before it is made: on every key, or on none when one of them is at its limit.
    ///
    /// `Some`: refused, and how many milliseconds until the last full window ends.
    pub async fn count_attempt(&self, rules: &[ThrottleRule], now: i64) -> Result<Option<i64>, StoreError> {
        let mut rules = rules.to_vec();
        // Everybody takes the rows in one order, so that nobody waits in a circle.
        rules.sort_by(|a, b| a.key.cmp(&b.key));
        for _ in 0..RACES {
            let rules = rules.clone();
            let counted = self
                .database
                .write(Lane::Alone, "throttle.count", async move |tx| {
                    count(tx, &rules, now).await
                })
                .await;
            match counted {
                Err(StoreError::Conflict(OUTRUN)) => {}
                other => return other,
            }
        }
        Err(StoreError::Busy {
            retry_after_seconds: 1,
        })
    }

    /// Whether an attempt on this key would be refused now. Nothing is counted.
    pub async fn is_full(&self, rule: &ThrottleRule, now: i64) -> Result<bool, StoreError> {
        let row = self.database.read_one(&LOOK, params![&rule.key]).await?;
        let wait = row.map(|row| wait_of(&mut row.fields(), rule, now));
        Ok(wait.transpose()?.flatten().is_some())
    }

    /// Give an attempt back that turned out to be good: one less on each key. It is never too late for that: whoever waits
    /// for the answer may wait long.
    pub async fn refund_attempt(&self, keys: &[String]) -> Result<(), StoreError> {
        self.on_each("throttle.refund", &REFUND, keys).await
    }

    /// Forget what was counted on these keys.
    pub async fn clear_throttles(&self, keys: &[String]) -> Result<(), StoreError> {
        self.on_each("throttle.clear", &CLEAR, keys).await
    }

    async fn on_each(
        &self,
        label: &'static str,
        statement: &'static Statement,
        keys: &[String],
    ) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let keys = sorted(keys);
        self.database
            .write_at_leisure(Lane::Alone, label, async move |tx| {
                for key in &keys {
                    tx.execute(statement, params![key]).await?;
                }
                Ok(())
            })
            .await
    }
}

/// Forget what was counted on these keys, in the transaction of the login that was good.
pub(crate) async fn clear(tx: Tx<'_>, keys: &[String]) -> Result<(), StoreError> {
    for key in sorted(keys) {
        tx.execute(&CLEAR, params![key]).await?;
    }
    Ok(())
}

async fn count(tx: Tx<'_>, rules: &[ThrottleRule], now: i64) -> Result<Option<i64>, StoreError> {
    let mut wait = None;
    for rule in rules {
        if rule.limit <= 0 {
            wait = wait.max(Some(rule.window_ms));
        }
        if let Some(row) = tx.optional(&LOCK, params![&rule.key]).await? {
            wait = wait.max(wait_of(&mut row.fields(), rule, now)?);
        }
    }
    if wait.is_some() {
        return Ok(wait);
    }
    for rule in rules {
        let window_ends_at = now.saturating_add(rule.window_ms);
        let counted = params![&rule.key, window_ends_at, now, rule.limit];
        if tx.optional(&COUNT, counted).await?.is_none() {
            // Another node filled the counter that did not exist a moment ago: count nothing, look again.
            return Err(StoreError::Conflict(OUTRUN));
        }
    }
    Ok(None)
}

/// How long to wait for this counter; none when it takes another attempt.
fn wait_of(row: &mut Fields, rule: &ThrottleRule, now: i64) -> Result<Option<i64>, StoreError> {
    let (attempts, window_ends_at): (i64, i64) = (row.take()?, row.take()?);
    let left = window_ends_at.saturating_sub(now);
    // A clock that stepped back must not lock anybody out for longer than a window.
    Ok((left > 0 && attempts >= rule.limit).then_some(left.min(rule.window_ms)))
}

fn sorted(keys: &[String]) -> Vec<String> {
    let mut keys = keys.to_vec();
    keys.sort();
    keys
}

static LOOK: Statement = Statement::new(
    "throttle.look",
    "SELECT attempts, window_ends_at FROM throttles WHERE key = $1",
);

static LOCK: Statement = Statement::new(
    "throttle.lock",
    "UPDATE throttles SET attempts = attempts WHERE key = $1 RETURNING attempts, window_ends_at",
);

static COUNT: Statement = Statement::new(
    "throttle.count",
    "INSERT INTO throttles (key, attempts, window_ends_at) VALUES ($1, 1, $2)
     ON CONFLICT (key) DO UPDATE SET
       attempts = CASE WHEN throttles.window_ends_at <= $3 THEN 1 ELSE throttles.attempts + 1 END,
       window_ends_at = CASE WHEN throttles.window_ends_at <= $3 THEN $2 ELSE throttles.window_ends_at END
     WHERE throttles.window_ends_at <= $3 OR throttles.attempts < $4
     RETURNING attempts",
);

static REFUND: Statement = Statement::new(
    "throttle.refund",
    "UPDATE throttles SET attempts = attempts - 1 WHERE key = $1 AND attempts > 0",
);

static CLEAR: Statement = Statement::new("throttle.clear", "DELETE FROM throttles WHERE key = $1");

const OUTRUN: &str = "throttle_outrun";
const RACES: usize = 8;

pub(crate) static STATEMENTS: [&Statement; 5] = [&LOOK, &LOCK, &COUNT, &REFUND, &CLEAR];
