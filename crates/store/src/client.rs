//! Clients that are registered in the store, and their secrets. Those of the configuration file are not here.
//!
//! Spec: RFC 7591 §1.2

use crate::audit::{self, NewAudit};
use crate::cut::Cut;
use crate::database::{Fields, Lane, Row, Statement, Tx, params};
use crate::error::StoreError;
use crate::id::Id;
use crate::names::closed_enum;
use crate::revocation;
use crate::settings;
use crate::store::Store;

closed_enum! {
    /// Whether a client may ask for tokens.
    pub enum ClientState {
        /// It may.
        Active = "active",
        /// It may not; everything is kept.
        Disabled = "disabled",
        /// A tombstone: the `client_id` never comes back.
        Deleted = "deleted",
    }
}

/// A registered client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRow {
    /// Its name in requests and tokens.
    pub client_id: String,
    /// Whether it may ask for tokens.
    pub state: ClientState,
    /// What it is registered with, as JSON text.
    pub settings: String,
    /// When it was registered.
    pub created_at: i64,
    /// When it last changed.
    pub updated_at: i64,
    /// How it was let in when it registered itself: the name of an initial access token, empty where anybody may. `None`: the operator's.
    pub registered_with: Option<String>,
    /// When a client that registered itself was last seen, to the hour.
    pub last_used_at: Option<i64>,
}

/// The digest of a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSecret {
    /// Whose it is.
    pub client_id: String,
    /// Its SHA-256.
    pub digest: Vec<u8>,
    /// When it was made.
    pub created_at: i64,
    /// When it stops to count.
    pub expires_at: Option<i64>,
}

impl Store {
    /// Register a client, with the SHA-256 of its secret when it has one. [`StoreError::Conflict`]: `client_taken`, also by one
    /// that was deleted.
    pub async fn add_client(
        &self,
        (client_id, settings): (&str, &str),
        secret: Option<[u8; 32]>,
        (now, audit): (i64, &NewAudit),
    ) -> Result<(), StoreError> {
        let (client_id, settings, audit) = (client_id.to_owned(), settings.to_owned(), audit.clone());
        self.database
            .write(Lane::Main, "client.add", async move |tx| {
                let added = insert(tx, (&client_id, &settings), now).await?;
                let id = added.ok_or(StoreError::Conflict("client_taken"))?;
                if let Some(digest) = secret {
                    add_secret(tx, id, digest, now).await?;
                }
                settings::bump(tx).await?;
                audit::append(tx, &audit, now).await
            })
            .await
    }

    /// Give a client another secret. The one before counts until `overlap_ends_at`, older ones no more. `false` when there is no such client.
    pub async fn rotate_client_secret(
        &self,
        client_id: &str,
        (secret, overlap_ends_at): ([u8; 32], i64),
        (now, audit): (i64, &NewAudit),
    ) -> Result<bool, StoreError> {
        let (client_id, audit) = (client_id.to_owned(), audit.clone());
        self.database
            .write(Lane::Main, "client.rotate_secret", async move |tx| {
                let Some(row) = tx.optional(&LOCK, params![&client_id]).await? else {
                    return Ok(false);
                };
                let id: Id = row.fields().take()?;
                tx.execute(&FORGET_SECRETS, params![id, now]).await?;
                tx.execute(&DROP_OLDER_SECRETS, params![id]).await?;
                tx.execute(&END_SECRETS, params![id, overlap_ends_at]).await?;
                add_secret(tx, id, secret, now).await?;
                settings::bump(tx).await?;
                audit::append(tx, &audit, now).await?;
                Ok(true)
            })
            .await
    }

    /// Enable, disable or delete a client; `false` when there is no such client. Whoever is not active any more loses every token
    /// and every family at once; what another client has exchanged one of those tokens for is that one's, and lives its minutes.
    pub async fn set_client_state(
        &self,
        client_id: &str,
        state: ClientState,
        cut: &Cut,
    ) -> Result<bool, StoreError> {
        let (client_id, cut) = (client_id.to_owned(), cut.clone());
        self.database
            .write(Lane::Main, "client.set_state", async move |tx| {
                match change_state(tx, &client_id, state, &cut).await? {
                    None => return Ok(false),
                    // Nothing changes, so nothing ends either.
                    Some(false) => return Ok(true),
                    Some(true) => {}
                }
                settings::bump(tx).await?;
                audit::append(tx, &cut.audit, cut.at).await?;
                Ok(true)
            })
            .await
    }

    /// Every client that is not deleted, by name.
    pub async fn clients(&self) -> Result<Vec<ClientRow>, StoreError> {
        let rows = self.database.read(&LIST, params![]).await?;
        rows.into_iter().map(|row| read(&mut row.fields())).collect()
    }

    /// The secrets of every client that is not deleted.
    pub async fn client_secrets(&self) -> Result<Vec<ClientSecret>, StoreError> {
        let rows = self.database.read(&SECRETS, params![]).await?;
        rows.into_iter().map(read_secret).collect()
    }
}

/// A request that knew the client before it was changed has its answer by then. Whoever enables a client waits for as long, or its first
/// tokens would count as some of those.
pub const ON_ITS_WAY_MS: i64 = 5_000;

/// Whether a client may begin anything, for the rest of the transaction: one that is disabled meanwhile waits for what begins here, and
/// then ends it. Clients of the configuration file are not known here.
pub(crate) async fn lock_active(tx: Tx<'_>, client_id: &str) -> Result<bool, StoreError> {
    let Some(row) = tx.optional(&LOCK_STATE, params![client_id]).await? else {
        return Ok(true);
    };
    let state = ClientState::read(&row.fields().take::<String>()?)?;
    Ok(state == ClientState::Active)
}

/// Enable, disable or delete a client with all that follows, but for the settings epoch and the audit row. Whether it changed; `None`
/// when there is no such client.
pub(crate) async fn change_state(
    tx: Tx<'_>,
    client_id: &str,
    state: ClientState,
    cut: &Cut,
) -> Result<Option<bool>, StoreError> {
    let Some(row) = tx.optional(&LOCK_STATE, params![client_id]).await? else {
        return Ok(None);
    };
    match ClientState::read(&row.fields().take::<String>()?)? {
        ClientState::Deleted => return Ok(None),
        same if same == state => return Ok(Some(false)),
        ClientState::Active | ClientState::Disabled => {}
    }
    let row = params![client_id, state.as_str(), cut.at];
    let Some(row) = tx.optional(&SET_STATE, row).await? else {
        return Ok(None);
    };
    let id: Id = row.fields().take()?;
    if state == ClientState::Deleted {
        tx.execute(&REVOKE_GRANTS, params![client_id, cut.at]).await?;
    }
    if state != ClientState::Active {
        end_tokens(tx, client_id, cut).await?;
    }
    if state == ClientState::Deleted {
        tx.execute(&DROP_SECRETS, params![id]).await?;
    }
    Ok(Some(true))
}

/// End every family of a client that gets nothing any more, and take back its access tokens.
pub(crate) async fn end_tokens(tx: Tx<'_>, client_id: &str, cut: &Cut) -> Result<(), StoreError> {
    // Families before the clock, as everywhere: whoever takes them the other way round waits for the other.
    tx.execute(&REVOKE_FAMILIES, params![client_id, cut.at, cut.reason.as_str()])
        .await?;
    let begun_meanwhile = Cut {
        at: cut.at.saturating_add(ON_ITS_WAY_MS),
        ..cut.clone()
    };
    revocation::cut_client(tx, client_id, &begun_meanwhile).await
}

/// Register a client of a name that nobody has or had; `None` when somebody has or had it.
pub(crate) async fn insert(
    tx: Tx<'_>,
    (client_id, settings): (&str, &str),
    now: i64,
) -> Result<Option<Id>, StoreError> {
    let row = params![Id::new(now)?, client_id, settings, now];
    let row = tx.optional(&INSERT, row).await?;
    row.map(|row| row.fields().take()).transpose()
}

/// Let these secrets count, and no other that counts without an end: what was to run out does so.
pub(crate) async fn keep_secrets(
    tx: Tx<'_>,
    client: Id,
    digests: &[[u8; 32]],
    now: i64,
) -> Result<(), StoreError> {
    let mut missing = digests.to_vec();
    for row in tx.all(&LASTING_SECRETS, params![client]).await? {
        let digest: Vec<u8> = row.fields().take()?;
        let known = missing.len();
        missing.retain(|wanted| wanted[..] != digest);
        if missing.len() == known {
            tx.execute(&DROP_SECRET, params![client, digest]).await?;
        }
    }
    for digest in missing {
        add_secret(tx, client, digest, now).await?;
    }
    Ok(())
}

/// The digests of the secrets that count, each with its end if it has one. The client's row is to be locked.
pub(crate) async fn counting_secrets(
    tx: Tx<'_>,
    client: Id,
    now: i64,
) -> Result<Vec<(Vec<u8>, Option<i64>)>, StoreError> {
    let rows = tx.all(&COUNTING_SECRETS, params![client, now]).await?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.fields();
            Ok((row.take()?, row.take()?))
        })
        .collect()
}

/// Let no secret count any more.
pub(crate) async fn drop_secrets(tx: Tx<'_>, client: Id) -> Result<(), StoreError> {
    tx.execute(&DROP_SECRETS, params![client]).await.map(|_| ())
}

pub(crate) async fn add_secret(tx: Tx<'_>, client: Id, digest: [u8; 32], now: i64) -> Result<(), StoreError> {
    let row = params![Id::new(now)?, client, digest.to_vec(), now];
    tx.execute(&INSERT_SECRET, row).await.map(|_| ())
}

fn read(row: &mut Fields) -> Result<ClientRow, StoreError> {
    Ok(ClientRow {
        client_id: row.take()?,
        state: ClientState::read(&row.take::<String>()?)?,
        settings: row.take()?,
        created_at: row.take()?,
        updated_at: row.take()?,
        registered_with: row.take()?,
        last_used_at: row.take()?,
    })
}

fn read_secret(row: Row) -> Result<ClientSecret, StoreError> {
    let mut row = row.fields();
    Ok(ClientSecret {
        client_id: row.take()?,
        digest: row.take()?,
        created_at: row.take()?,
        expires_at: row.take()?,
    })
}

static INSERT: Statement = Statement::new(
    "client.insert",
    "INSERT INTO clients (id, client_id, state, settings, created_at, updated_at) VALUES ($1, $2, 'active', $3, $4, $4)
     ON CONFLICT (client_id) DO NOTHING RETURNING id",
);

static LOCK: Statement = Statement::new(
    "client.lock",
    "UPDATE clients SET updated_at = updated_at WHERE client_id = $1 AND state <> 'deleted' RETURNING id",
);

static LOCK_STATE: Statement = Statement::new(
    "client.lock_state",
    "UPDATE clients SET updated_at = updated_at WHERE client_id = $1 RETURNING state",
);

/// Each change has a time of its own, as at `client_registration.change`.
static SET_STATE: Statement = Statement::new(
    "client.set_state",
    "UPDATE clients SET state = $2, updated_at = CASE WHEN updated_at >= $3 THEN updated_at + 1 ELSE $3 END
     WHERE client_id = $1 AND state <> 'deleted' RETURNING id",
);

static LIST: Statement = Statement::new(
    "client.list",
    "SELECT client_id, state, settings, created_at, updated_at, registered_with, last_used_at
     FROM clients WHERE state <> 'deleted' ORDER BY client_id",
);

static SECRETS: Statement = Statement::new(
    "client.secrets",
    "SELECT c.client_id, s.digest, s.created_at, s.expires_at
     FROM client_secrets s JOIN clients c ON c.id = s.client WHERE c.state <> 'deleted' ORDER BY s.created_at, s.id",
);

static INSERT_SECRET: Statement = Statement::new(
    "client.insert_secret",
    "INSERT INTO client_secrets (id, client, digest, created_at) VALUES ($1, $2, $3, $4)",
);

static END_SECRETS: Statement = Statement::new(
    "client.end_secrets",
    "UPDATE client_secrets SET expires_at = $2 WHERE client = $1 AND (expires_at IS NULL OR expires_at > $2)",
);

static FORGET_SECRETS: Statement = Statement::new(
    "client.forget_secrets",
    "DELETE FROM client_secrets WHERE client = $1 AND expires_at <= $2",
);

/// All but the newest. Of two of one moment the one that is to last is the newer.
static DROP_OLDER_SECRETS: Statement = Statement::new(
    "client.drop_older_secrets",
    "DELETE FROM client_secrets WHERE client = $1 AND id <>
       (SELECT s.id FROM client_secrets s WHERE s.client = $1
        ORDER BY s.created_at DESC, CASE WHEN s.expires_at IS NULL THEN 0 ELSE 1 END, s.id DESC LIMIT 1)",
);

static DROP_SECRETS: Statement = Statement::new(
    "client.drop_secrets",
    "DELETE FROM client_secrets WHERE client = $1",
);

static LASTING_SECRETS: Statement = Statement::new(
    "client.lasting_secrets",
    "SELECT digest FROM client_secrets WHERE client = $1 AND expires_at IS NULL",
);

static COUNTING_SECRETS: Statement = Statement::new(
    "client.counting_secrets",
    "SELECT digest, expires_at FROM client_secrets WHERE client = $1 AND (expires_at IS NULL OR expires_at > $2)",
);

static DROP_SECRET: Statement = Statement::new(
    "client.drop_secret",
    "DELETE FROM client_secrets WHERE client = $1 AND digest = $2 AND expires_at IS NULL",
);

static REVOKE_FAMILIES: Statement = Statement::new(
    "client.revoke_families",
    "UPDATE families SET revoked_at = $2, revoked_reason = $3 WHERE client_id = $1 AND revoked_at IS NULL",
);

static REVOKE_GRANTS: Statement = Statement::new(
    "client.revoke_grants",
    "UPDATE grants SET revoked_at = $2 WHERE client_id = $1 AND revoked_at IS NULL",
);

pub(crate) static STATEMENTS: [&Statement; 16] = [
    &INSERT,
    &LOCK,
    &LOCK_STATE,
    &SET_STATE,
    &LIST,
    &SECRETS,
    &INSERT_SECRET,
    &END_SECRETS,
    &FORGET_SECRETS,
    &DROP_OLDER_SECRETS,
    &DROP_SECRETS,
    &LASTING_SECRETS,
    &COUNTING_SECRETS,
    &DROP_SECRET,
    &REVOKE_FAMILIES,
    &REVOKE_GRANTS,
];
