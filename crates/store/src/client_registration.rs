//! Clients that register themselves, change what they are registered with, and leave.
//!
//! Spec: RFC 7591 §3.2.1 · RFC 7592 §2

use crate::audit::{self, NewAudit};
use crate::client::{self, ClientState, add_secret};
use crate::cut::Cut;
use crate::database::{Lane, Statement, Tx, params};
use crate::error::StoreError;
use crate::id::Id;
use crate::initial_access_token as initial;
use crate::settings;
use crate::store::Store;

/// A client that registers itself.
#[derive(Clone)]
pub struct NewRegistration {
    /// The name that it is given.
    pub client_id: String,
    /// What it is registered with, as JSON text.
    pub settings: String,
    /// What it says of itself beside that, as JSON text.
    pub metadata: String,
    /// The SHA-256 of its secret.
    pub secret: Option<[u8; 32]>,
    /// The SHA-256 of the token that manages the registration.
    pub registration_digest: [u8; 32],
    /// The SHA-256 of the initial access token; `None` where anybody may.
    pub initial_digest: Option<[u8; 32]>,
}

/// A registration as its client may see and change it.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientRegistration {
    /// What it is registered with, as JSON text.
    pub settings: String,
    /// What it says of itself beside that, as JSON text.
    pub metadata: String,
    /// The SHA-256 of the token that manages it.
    pub digest: Vec<u8>,
    /// When the client registered.
    pub created_at: i64,
}

/// What a registration becomes (RFC 7592 §2.2).
#[derive(Clone)]
pub struct RegistrationChange {
    /// Whose.
    pub client_id: String,
    /// The SHA-256 of the token that manages it: what was deleted meanwhile does not change any more.
    pub registration_digest: [u8; 32],
    /// What it is registered with, as JSON text.
    pub settings: String,
    /// What it says of itself beside that, as JSON text.
    pub metadata: String,
    /// The SHA-256 of a secret, for a client that has to have one: it counts if no other does without an end. `None`: it has no secret from
    /// now on.
    pub secret: Option<[u8; 32]>,
    /// The SHA-256 of the secret that the client says it has.
    pub shown: Option<[u8; 32]>,
}

/// What became of a client's secrets when its registration changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretsLeft {
    /// Whether the secret of the change counts now.
    pub is_new: bool,
    /// When the secret that was shown stops to count, if it will.
    pub shown_until: Option<i64>,
}

impl Store {
    /// Register a client of its own word, of `most` such clients at most. [`StoreError::Conflict`], and nothing is done:
    /// `initial_access_token_spent` when the token does not count any more, `too_many_clients`.
    pub async fn register_client(
        &self,
        new: &NewRegistration,
        most: i64,
        (now, audit): (i64, &NewAudit),
    ) -> Result<(), StoreError> {
        let (new, audit) = (new.clone(), audit.clone());
        self.database
            .write(Lane::Main, "client_registration.add", async move |tx| {
                let with = match new.initial_digest {
                    Some(digest) => initial::spend(tx, digest, now)
                        .await?
                        .ok_or(StoreError::Conflict("initial_access_token_spent"))?,
                    None => String::new(),
                };
                // First, so that whoever registers at the same moment is counted, or waits for us.
                settings::bump(tx).await?;
                let row = tx.optional(&COUNT, params![]).await?;
                let known: i64 = row.map_or(Ok(0), |row| row.fields().take())?;
                if known >= most {
                    return Err(StoreError::Conflict("too_many_clients"));
                }
                let added = client::insert(tx, (&new.client_id, &new.settings), now).await?;
                let id = added.ok_or(StoreError::Conflict("client_taken"))?;
                let row = params![id, with, new.registration_digest.to_vec(), &new.metadata, now];
                tx.execute(&DESCRIBE, row).await?;
                if let Some(digest) = new.secret {
                    add_secret(tx, id, digest, now).await?;
                }
                audit::append(tx, &audit, now).await
            })
            .await
    }

    /// The registration of a client that made it itself; `None` as well when the client is disabled or deleted.
    pub async fn client_registration(
        &self,
        client_id: &str,
    ) -> Result<Option<ClientRegistration>, StoreError> {
        let row = self.database.read_one(&LOOK, params![client_id]).await?;
        row.map(|row| {
            let mut row = row.fields();
            Ok(ClientRegistration {
                settings: row.take()?,
                metadata: row.take()?,
                digest: row.take()?,
                created_at: row.take()?,
            })
        })
        .transpose()
    }

    /// Change a registration; `None` when it is not there any more. [`StoreError::Conflict`], and nothing is done: `secret_unknown` when the
    /// secret that was shown does not count.
    pub async fn change_client_registration(
        &self,
        change: &RegistrationChange,
        (now, audit): (i64, &NewAudit),
    ) -> Result<Option<SecretsLeft>, StoreError> {
        let (change, audit) = (change.clone(), audit.clone());
        self.database
            .write(Lane::Main, "client_registration.change", async move |tx| {
                let row = params![
                    &change.client_id,
                    change.registration_digest.to_vec(),
                    &change.settings,
                    &change.metadata,
                    now
                ];
                // The row is ours from here on: what is known of the secrets stays true.
                let Some(row) = tx.optional(&CHANGE, row).await? else {
                    return Ok(None);
                };
                let left = secrets(tx, row.fields().take()?, &change, now).await?;
                settings::bump(tx).await?;
                audit::append(tx, &audit, now).await?;
                Ok(Some(left))
            })
            .await
    }

    /// Note that a client which registered itself was seen.
    pub async fn note_client_use(&self, client_id: &str, now: i64) -> Result<(), StoreError> {
        let (lane, client_id) = (Lane::of(client_id), client_id.to_owned());
        self.database
            .write(lane, "client_registration.use", async move |tx| {
                tx.execute(&USE, params![&client_id, now]).await.map(|_| ())
            })
            .await
    }

    /// So many of the clients that registered themselves and were neither seen nor changed since `before`.
    pub async fn unused_clients(&self, before: i64, batch: i64) -> Result<Vec<String>, StoreError> {
        let rows = self.database.read(&UNUSED, params![before, batch]).await?;
        rows.into_iter().map(|row| row.fields().take()).collect()
    }

    /// Delete a client that is unused (see [`Store::unused_clients`]), with everything that [`Store::set_client_state`] takes along; `false`
    /// when it was seen meanwhile.
    pub async fn forget_unused_client(
        &self,
        client_id: &str,
        before: i64,
        cut: &Cut,
    ) -> Result<bool, StoreError> {
        let (client_id, cut) = (client_id.to_owned(), cut.clone());
        self.database
            .write(Lane::Main, "client_registration.forget", async move |tx| {
                if tx
                    .optional(&STILL_UNUSED, params![&client_id, before])
                    .await?
                    .is_none()
                {
                    return Ok(false);
                }
                client::change_state(tx, &client_id, ClientState::Deleted, &cut).await?;
                settings::bump(tx).await?;
                audit::append(tx, &cut.audit, cut.at).await?;
                Ok(true)
            })
            .await
    }
}

async fn secrets(
    tx: Tx<'_>,
    client: Id,
    change: &RegistrationChange,
    now: i64,
) -> Result<SecretsLeft, StoreError> {
    let known = client::counting_secrets(tx, client, now).await?;
    let shown_until = match change.shown {
        None => None,
        Some(shown) => known
            .iter()
            .find(|(digest, _)| *digest == shown)
            .map(|(_, until)| *until)
            .ok_or(StoreError::Conflict("secret_unknown"))?,
    };
    let is_new = change.secret.is_some() && known.iter().all(|(_, until)| until.is_some());
    match change.secret {
        None => client::drop_secrets(tx, client).await?,
        Some(digest) if is_new => add_secret(tx, client, digest, now).await?,
        Some(_) => {}
    }
    Ok(SecretsLeft { is_new, shown_until })
}

/// `version` for the sake of SQLite, which knows the type of a count by its name alone.
static COUNT: Statement = Statement::new(
    "client_registration.count",
    "SELECT COUNT(*) AS version FROM clients WHERE registered_with IS NOT NULL AND state <> 'deleted'",
);

static DESCRIBE: Statement = Statement::new(
    "client_registration.describe",
    "UPDATE clients SET registered_with = $2, registration_digest = $3, metadata = $4, last_used_at = $5 WHERE id = $1",
);

static LOOK: Statement = Statement::new(
    "client_registration.look",
    "SELECT settings, metadata, registration_digest, created_at
     FROM clients WHERE client_id = $1 AND state = 'active' AND registered_with IS NOT NULL",
);

/// Each change has a time of its own: what was begun before it is told from what was begun after.
static CHANGE: Statement = Statement::new(
    "client_registration.change",
    "UPDATE clients SET settings = $3, metadata = $4, updated_at = CASE WHEN updated_at >= $5 THEN updated_at + 1 ELSE $5 END
     WHERE client_id = $1 AND registration_digest = $2 AND state = 'active' RETURNING id",
);

static USE: Statement = Statement::new(
    "client_registration.use",
    "UPDATE clients SET last_used_at = $2 WHERE client_id = $1 AND last_used_at < $2",
);

static UNUSED: Statement = Statement::new(
    "client_registration.unused",
    "SELECT client_id FROM clients
     WHERE registered_with IS NOT NULL AND state <> 'deleted' AND last_used_at < $1 AND updated_at < $1 LIMIT $2",
);

static STILL_UNUSED: Statement = Statement::new(
    "client_registration.still_unused",
    "UPDATE clients SET updated_at = updated_at
     WHERE client_id = $1 AND registered_with IS NOT NULL AND state <> 'deleted' AND last_used_at < $2 AND updated_at < $2
     RETURNING id",
);

pub(crate) static STATEMENTS: [&Statement; 7] =
    [&COUNT, &DESCRIBE, &LOOK, &CHANGE, &USE, &UNUSED, &STILL_UNUSED];
