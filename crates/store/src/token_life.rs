//! How long access tokens live that servers of this database make, or have made: what takes them back is kept for as long.
//!
//! Spec: RFC 7009 §2.1

use crate::cut::Cut;
use crate::database::{Lane, Statement, Tx, params};
use crate::error::StoreError;
use crate::store::Store;

impl Store {
    /// Says that a server runs whose tokens, once taken back, are to be remembered for so long (milliseconds): their longest life, plus skew.
    ///
    /// For a server to say once a minute, so that others know, whatever their own configuration is; at its start
    /// [`Store::know_configured_clients`] says it.
    pub async fn say_token_life(&self, life_ms: i64, now: i64) -> Result<(), StoreError> {
        self.database
            .write(Lane::Alone, "token_life.say", async move |tx| {
                say(tx, life_ms, now).await
            })
            .await
    }
}

/// As [`Store::say_token_life`].
pub(crate) async fn say(tx: Tx<'_>, life_ms: i64, now: i64) -> Result<(), StoreError> {
    tx.execute(&SAY, params![life_ms, now]).await.map(|_| ())
}

/// How long what is taken back now must be remembered: as long as a token may live that any server has made, or makes while this is committed.
pub(crate) async fn longest(tx: Tx<'_>, cut: &Cut) -> Result<i64, StoreError> {
    let row = tx
        .optional(&LONGEST, params![cut.at.saturating_sub(SILENCE)])
        .await?;
    let said: Option<i64> = row.map_or(Ok(None), |row| row.fields().take())?;
    Ok(said.unwrap_or_default().max(cut.entry_ttl_ms))
}

/// A server may go on for as long as this after it last said how long its tokens live: a database that could not be written, a machine that slept.
const SILENCE: i64 = 3_600_000;

static SAY: Statement = Statement::new(
    "token_life.say",
    "INSERT INTO token_lives (life, said_at) VALUES ($1, $2)
     ON CONFLICT (life) DO UPDATE SET said_at = $2 WHERE token_lives.said_at < $2",
);

/// The rows stay: there is one for each life that was ever configured.
static LONGEST: Statement = Statement::new(
    "token_life.longest",
    "SELECT MAX(life) AS life FROM token_lives WHERE said_at + life >= $1",
);

pub(crate) static STATEMENTS: [&Statement; 2] = [&SAY, &LONGEST];
