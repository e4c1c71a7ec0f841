//! Signing keys: which are published, which one signs, which are gone.
//!
//! Spec: RFC 7517 §4.5 (`kid`) · RFC 7638

use carnet_oauth::revocation::RevocationKind;

use crate::audit::{self, AuditAction, NewAudit};
use crate::cut::Cut;
use crate::database::{Lane, Row, Statement, Tx, params};
use crate::error::StoreError;
use crate::id::Id;
use crate::names::closed_enum;
use crate::revocation::{self, NewEntry};
use crate::settings;
use crate::store::Store;

closed_enum! {
    /// The life of a signing key.
    pub enum KeyState {
        /// Published, not yet signing.
        Staged = "staged",
        /// Published and signing.
        Active = "active",
        /// Published, no longer signing.
        Retiring = "retiring",
        /// Gone; the row stays, so that the `kid` never comes back.
        Removed = "removed",
    }
}

/// A signing key as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKeyRow {
    /// Its RFC 7638 thumbprint.
    pub kid: String,
    /// The one algorithm that it signs with.
    pub algorithm: String,
    /// Where in its life it is.
    pub state: KeyState,
    /// The public JWK, as JSON text.
    pub public_jwk: String,
    /// The sealed private key; gone when removed.
    pub sealed: Option<Vec<u8>>,
    /// The name of the master key that seals it.
    pub master_key: String,
    /// When it was made.
    pub created_at: i64,
    /// When it was first published.
    pub published_at: i64,
    /// When it may sign: once the published set has reached everyone.
    pub activates_at: i64,
    /// When it began to sign.
    pub activated_at: Option<i64>,
    /// When it began to retire.
    pub retires_at: Option<i64>,
    /// When it may leave.
    pub removes_at: Option<i64>,
    /// When it left.
    pub removed_at: Option<i64>,
    /// Why it was revoked, if it was.
    pub reason: Option<String>,
}

impl std::fmt::Debug for SigningKeyRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "SigningKeyRow({} {} {})",
            self.kid,
            self.algorithm,
            self.state.as_str()
        )
    }
}

/// For how long a verifier may go on with keys that it has read: a day that the answer allows (RFC 9111), a day of failures to ask again, and an hour.
const KEPT_BY_VERIFIERS_MS: i64 = 49 * 3_600_000;

impl Store {
    /// Store a new key, staged or active. Of two nodes that do so at once one is told to look again.
    ///
    /// [`StoreError::Conflict`]: `key_staged`, `key_active` (the algorithm has one already), `key_known`.
    pub async fn add_signing_key(
        &self,
        row: &SigningKeyRow,
        now: i64,
        audit: &NewAudit,
    ) -> Result<(), StoreError> {
        let (id, row, audit) = (Id::new(now)?, row.clone(), audit.clone());
        self.database
            .write(Lane::Main, "signing_key.add", async move |tx| {
                insert(tx, id, &row).await?;
                audit::append(tx, &audit, now).await?;
                settings::bump(tx).await
            })
            .await
    }

    /// Every key that ever was, oldest first.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKeyRow>, StoreError> {
        let rows = self.database.read(&LIST, params![]).await?;
        rows.into_iter().map(read).collect()
    }

    /// Let a staged key sign and the algorithm's active one retire until `old_removes_at`; `false` when the key
    /// is not staged any more.
    pub async fn promote_key(
        &self,
        kid: &str,
        old_removes_at: i64,
        now: i64,
        audit: &NewAudit,
    ) -> Result<bool, StoreError> {
        let (kid, audit) = (kid.to_owned(), audit.clone());
        self.database
            .write(Lane::Main, "signing_key.promote", async move |tx| {
                let Some(row) = tx.optional(&LOCK_STAGED, params![&kid]).await? else {
                    return Ok(false);
                };
                let algorithm: String = row.fields().take()?;
                tx.execute(&RETIRE, params![algorithm, now, old_removes_at])
                    .await?;
                tx.execute(&ACTIVATE, params![&kid, now]).await?;
                audit::append(tx, &audit, now).await?;
                settings::bump(tx).await?;
                Ok(true)
            })
            .await
    }

    /// Let the active key of an algorithm that nothing signs with any more retire until `removes_at`; `false` when it is not active.
    pub async fn retire_key(
        &self,
        kid: &str,
        removes_at: i64,
        now: i64,
        audit: &NewAudit,
    ) -> Result<bool, StoreError> {
        let (kid, audit) = (kid.to_owned(), audit.clone());
        self.database
            .write(Lane::Main, "signing_key.retire_last", async move |tx| {
                if tx.execute(&RETIRE_LAST, params![&kid, now, removes_at]).await? == 0 {
                    return Ok(false);
                }
                audit::append(tx, &audit, now).await?;
                settings::bump(tx).await?;
                Ok(true)
            })
            .await
    }

    /// Remove a retiring key and forget its private half; `false` when it is not retiring.
    pub async fn remove_key(&self, kid: &str, now: i64, audit: &NewAudit) -> Result<bool, StoreError> {
        let (kid, audit) = (kid.to_owned(), audit.clone());
        self.database
            .write(Lane::Main, "signing_key.remove", async move |tx| {
                if tx.execute(&REMOVE, params![&kid, now]).await? == 0 {
                    return Ok(false);
                }
                audit::append(tx, &audit, now).await?;
                settings::bump(tx).await?;
                Ok(true)
            })
            .await
    }

    /// Remove a key at once, whatever its state, and take back every token that it signed; `false` when it is
    /// unknown or gone already.
    pub async fn revoke_key(&self, kid: &str, cut: &Cut) -> Result<bool, StoreError> {
        let (kid, cut) = (kid.to_owned(), cut.clone());
        self.database
            .write(Lane::Main, "signing_key.revoke", async move |tx| {
                revoke(tx, &kid, &cut).await
            })
            .await
    }

    /// As [`Store::revoke_key`], and let `next` sign in its place from the same moment on, so that nobody ever sees a set without a key:
    /// a key that is staged already, or a new one. When another node was faster with one of its own, that one stays.
    pub async fn replace_key(&self, kid: &str, next: &SigningKeyRow, cut: &Cut) -> Result<bool, StoreError> {
        let (id, kid, next, cut) = (Id::new(cut.at)?, kid.to_owned(), next.clone(), cut.clone());
        let made = NewAudit::success("system", AuditAction::KeyCreate, &next.kid);
        let promoted = NewAudit::success("system", AuditAction::KeyPromote, &next.kid);
        self.database
            .write(Lane::Main, "signing_key.replace", async move |tx| {
                if !revoke(tx, &kid, &cut).await? {
                    return Ok(false);
                }
                if tx.execute(&ACTIVATE, params![&next.kid, cut.at]).await? == 1 {
                    audit::append(tx, &promoted, cut.at).await?;
                } else {
                    match insert(tx, id, &next).await {
                        Ok(()) => audit::append(tx, &made, cut.at).await?,
                        Err(StoreError::Conflict(_)) => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(true)
            })
            .await
    }
}

async fn revoke(tx: Tx<'_>, kid: &str, cut: &Cut) -> Result<bool, StoreError> {
    let gone = params![kid, cut.at, cut.reason.as_str()];
    if tx.execute(&REVOKE, gone).await? == 0 {
        return Ok(false);
    }
    // A thief writes into a token what he likes: it counts for as long as anybody may still hold the key for good.
    let remembered = Cut {
        entry_ttl_ms: cut.entry_ttl_ms.max(KEPT_BY_VERIFIERS_MS),
        ..cut.clone()
    };
    let entry = NewEntry::of(RevocationKind::Kid, kid.to_owned(), &remembered);
    revocation::add(tx, vec![entry], &remembered).await?;
    audit::append(tx, &cut.audit, cut.at).await?;
    settings::bump(tx).await?;
    Ok(true)
}

async fn insert(tx: Tx<'_>, id: Id, row: &SigningKeyRow) -> Result<(), StoreError> {
    let values = params![
        id,
        &row.kid,
        &row.algorithm,
        row.state.as_str(),
        &row.public_jwk,
        row.sealed.clone(),
        &row.master_key,
        row.created_at,
        row.published_at,
        row.activates_at,
        row.activated_at,
        row.retires_at,
        row.removes_at,
        row.removed_at,
        row.reason.as_deref()
    ];
    if tx.optional(&INSERT, values).await?.is_some() {
        return Ok(());
    }
    if tx.optional(&KNOWN, params![&row.kid]).await?.is_some() {
        return Err(StoreError::Conflict("key_known"));
    }
    Err(StoreError::Conflict(if row.state == KeyState::Active {
        "key_active"
    } else {
        "key_staged"
    }))
}

fn read(row: Row) -> Result<SigningKeyRow, StoreError> {
    let mut row = row.fields();
    Ok(SigningKeyRow {
        kid: row.take()?,
        algorithm: row.take()?,
        state: KeyState::read(&row.take::<String>()?)?,
        public_jwk: row.take()?,
        sealed: row.take()?,
        master_key: row.take()?,
        created_at: row.take()?,
        published_at: row.take()?,
        activates_at: row.take()?,
        activated_at: row.take()?,
        retires_at: row.take()?,
        removes_at: row.take()?,
        removed_at: row.take()?,
        reason: row.take()?,
    })
}

static INSERT: Statement = Statement::new(
    "signing_key.insert",
    "INSERT INTO signing_keys
       (id, kid, algorithm, state, public_jwk, sealed, master_key, created_at, published_at, activates_at,
        activated_at, retires_at, removes_at, removed_at, reason)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
     ON CONFLICT DO NOTHING RETURNING id",
);

static KNOWN: Statement = Statement::new("signing_key.known", "SELECT kid FROM signing_keys WHERE kid = $1");

static LIST: Statement = Statement::new(
    "signing_key.list",
    "SELECT kid, algorithm, state, public_jwk, sealed, master_key, created_at, published_at, activates_at,
            activated_at, retires_at, removes_at, removed_at, reason
     FROM signing_keys ORDER BY id",
);

static LOCK_STAGED: Statement = Statement::new(
    "signing_key.lock_staged",
    "UPDATE signing_keys SET state = state WHERE kid = $1 AND state = 'staged' RETURNING algorithm",
);

static RETIRE: Statement = Statement::new(
    "signing_key.retire",
    "UPDATE signing_keys SET state = 'retiring', retires_at = $2, removes_at = $3
     WHERE algorithm = $1 AND state = 'active'",
);

static RETIRE_LAST: Statement = Statement::new(
    "signing_key.retire_last",
    "UPDATE signing_keys SET state = 'retiring', retires_at = $2, removes_at = $3
     WHERE kid = $1 AND state = 'active'",
);

static ACTIVATE: Statement = Statement::new(
    "signing_key.activate",
    "UPDATE signing_keys SET state = 'active', activated_at = $2 WHERE kid = $1 AND state = 'staged'",
);

static REMOVE: Statement = Statement::new(
    "signing_key.remove",
    "UPDATE signing_keys SET state = 'removed', removed_at = $2, sealed = NULL
     WHERE kid = $1 AND state = 'retiring'",
);

static REVOKE: Statement = Statement::new(
    "signing_key.revoke",
    "UPDATE signing_keys SET state = 'removed', removed_at = $2, sealed = NULL, reason = $3
     WHERE kid = $1 AND state <> 'removed'",
);

pub(crate) static STATEMENTS: [&Statement; 9] = [
    &INSERT,
    &KNOWN,
    &LIST,
    &LOCK_STAGED,
    &RETIRE,
    &RETIRE_LAST,
    &ACTIVATE,
    &REMOVE,
    &REVOKE,
];
