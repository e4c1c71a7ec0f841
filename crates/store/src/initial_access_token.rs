//! Initial access tokens: what the operator hands to those who may register a client.
//!
//! Spec: RFC 7591 §1.2, §3

use crate::audit::{self, NewAudit};
use crate::database::{Lane, Statement, Tx, params};
use crate::error::StoreError;
use crate::store::Store;

/// An initial access token, without the token: of that the SHA-256 alone is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitialAccessToken {
    /// What the operator calls it.
    pub name: String,
    /// How many clients may still be registered with it.
    pub uses_left: i64,
    /// When it was made.
    pub created_at: i64,
    /// When it stops to count.
    pub expires_at: i64,
    /// When it was taken back.
    pub revoked_at: Option<i64>,
}

impl Store {
    /// Make an initial access token, known by its SHA-256. [`StoreError::Conflict`]: `token_taken`, when there is, or was, one of the name.
    pub async fn add_initial_access_token(
        &self,
        token: &InitialAccessToken,
        digest: [u8; 32],
        audit: &NewAudit,
    ) -> Result<(), StoreError> {
        let (token, audit) = (token.clone(), audit.clone());
        self.database
            .write(Lane::Main, "initial_access_token.add", async move |tx| {
                let row = params![
                    &token.name,
                    digest.to_vec(),
                    token.uses_left,
                    token.created_at,
                    token.expires_at
                ];
                match tx.execute(&INSERT, row).await? {
                    1 => audit::append(tx, &audit, token.created_at).await,
                    _ => Err(StoreError::Conflict("token_taken")),
                }
            })
            .await
    }

    /// Every initial access token, also those that count no more, by name.
    pub async fn initial_access_tokens(&self) -> Result<Vec<InitialAccessToken>, StoreError> {
        let rows = self.database.read(&LIST, params![]).await?;
        let read = |row: crate::database::Row| {
            let mut row = row.fields();
            Ok(InitialAccessToken {
                name: row.take()?,
                uses_left: row.take()?,
                created_at: row.take()?,
                expires_at: row.take()?,
                revoked_at: row.take()?,
            })
        };
        rows.into_iter().map(read).collect()
    }

    /// The name of the token of this SHA-256, if a client may be registered with it at this moment. Nothing is used up.
    pub async fn initial_access_token(
        &self,
        digest: [u8; 32],
        now: i64,
    ) -> Result<Option<String>, StoreError> {
        let row = params![digest.to_vec(), now];
        let row = self.database.read_one(&LIVE, row).await?;
        row.map(|row| row.fields().take()).transpose()
    }

    /// Take a token back; `false` when there is none of the name, or it was taken back before. Who registered with it stays.
    pub async fn revoke_initial_access_token(
        &self,
        name: &str,
        (now, audit): (i64, &NewAudit),
    ) -> Result<bool, StoreError> {
        let (name, audit) = (name.to_owned(), audit.clone());
        self.database
            .write(Lane::Main, "initial_access_token.revoke", async move |tx| {
                if tx.execute(&REVOKE, params![&name, now]).await? == 0 {
                    return Ok(false);
                }
                audit::append(tx, &audit, now).await?;
                Ok(true)
            })
            .await
    }
}

/// Use a token up by one: of any number of attempts at once, as many succeed as uses are left. Its name; `None` when it does not count.
pub(crate) async fn spend(tx: Tx<'_>, digest: [u8; 32], now: i64) -> Result<Option<String>, StoreError> {
    let row = tx.optional(&SPEND, params![digest.to_vec(), now]).await?;
    row.map(|row| row.fields().take()).transpose()
}

static INSERT: Statement = Statement::new(
    "initial_access_token.insert",
    "INSERT INTO initial_access_tokens (name, digest, uses_left, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (name) DO NOTHING",
);

static LIST: Statement = Statement::new(
    "initial_access_token.list",
    "SELECT name, uses_left, created_at, expires_at, revoked_at FROM initial_access_tokens ORDER BY name",
);

static LIVE: Statement = Statement::new(
    "initial_access_token.live",
    "SELECT name FROM initial_access_tokens
     WHERE digest = $1 AND uses_left > 0 AND expires_at > $2 AND revoked_at IS NULL",
);

static SPEND: Statement = Statement::new(
    "initial_access_token.spend",
    "UPDATE initial_access_tokens SET uses_left = uses_left - 1
     WHERE digest = $1 AND uses_left > 0 AND expires_at > $2 AND revoked_at IS NULL RETURNING name",
);

static REVOKE: Statement = Statement::new(
    "initial_access_token.revoke",
    "UPDATE initial_access_tokens SET revoked_at = $2 WHERE name = $1 AND revoked_at IS NULL",
);

pub(crate) static STATEMENTS: [&Statement; 5] = [&INSERT, &LIST, &LIVE, &SPEND, &REVOKE];
