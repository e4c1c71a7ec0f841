//! What is remembered of the clients of the configuration file: enough to notice at a start that one is gone from it, or another service.
//!
//! Spec: RFC 7009 §2.1 (what is revoked is of no use any more)

use std::collections::HashMap;

use carnet_oauth::revocation::RevocationKind;

use crate::audit::{self, AuditAction, NewAudit};
use crate::client;
use crate::cut::Cut;
use crate::database::{Lane, Statement, Tx, params};
use crate::error::StoreError;
use crate::revocation::{self, NewEntry};
use crate::settings;
use crate::store::Store;
use crate::token_life;

/// A client that stands in the configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfiguredClient {
    /// Its name.
    pub client_id: String,
    /// A digest of what the bundle of services says of it; empty when it is none.
    pub service: String,
    /// How long a revocation of its tokens is kept, in milliseconds: as long as one may live, plus skew.
    pub entry_ttl_ms: i64,
}

/// A row.
struct Known {
    client: ConfiguredClient,
    gone_at: Option<i64>,
}

impl Store {
    /// Remember the clients of the configuration file and how long their tokens live, and take back the access tokens of those that have left it; their names.
    ///
    /// One that is registered in the store since then is not gone. For a day after it went each start takes them back again: another
    /// node may have run with the old file until now. Its refresh tokens end when no node serves it any more:
    /// [`Store::end_unserved_clients`]. The settings epoch moves when there are services, or were.
    pub async fn know_configured_clients(
        &self,
        clients: &[ConfiguredClient],
        cut: &Cut,
    ) -> Result<Vec<String>, StoreError> {
        let (clients, cut) = (clients.to_vec(), cut.clone());
        self.database
            .write(Lane::Main, "configured_client.know", async move |tx| {
                let mut known = known(tx).await?;
                // What was made under the file of the start before lives on.
                let before = known.values().map(|known| known.client.entry_ttl_ms);
                let now = clients.iter().map(|client| client.entry_ttl_ms);
                // In one order on every server: whoever takes the rows the other way round waits for the other.
                let mut lives = [before.max(), now.max(), Some(cut.entry_ttl_ms)];
                lives.sort_unstable();
                for life in lives.into_iter().flatten() {
                    token_life::say(tx, life, cut.at).await?;
                }
                let mut services_changed = false;
                for client in &clients {
                    let before = known.remove(&client.client_id);
                    let before = before.filter(|before| before.gone_at.is_none());
                    let service = before.as_ref().map_or("", |before| &before.client.service);
                    services_changed |= service != client.service;
                    if before.is_none_or(|before| before.client != *client) {
                        let row = params![&client.client_id, &client.service, client.entry_ttl_ms];
                        tx.execute(&PUT, row).await?;
                    }
                }
                let (mut gone, mut entries) = (Vec::new(), Vec::new());
                let mut left: Vec<_> = known.into_values().collect();
                left.sort_by(|a, b| a.client.client_id.cmp(&b.client.client_id));
                for left in left {
                    services_changed |= left.gone_at.is_none() && !left.client.service.is_empty();
                    if let Some(entry) = take_back(tx, &left, &cut).await? {
                        entries.push(entry);
                        gone.push(left.client.client_id);
                    }
                }
                // Rows before the clock: whoever takes them the other way round waits for the other.
                if !entries.is_empty() {
                    revocation::add(tx, entries, &cut).await?;
                }
                // At each start with services: another node may sign the old file under this number until it is restarted as well.
                services_changed |= clients.iter().any(|client| !client.service.is_empty());
                if services_changed {
                    settings::bump(tx).await?;
                }
                Ok(gone)
            })
            .await
    }

    /// One round beside a running server: says that this one serves the clients of its file, and ends every family and access token of
    /// those that are gone from it and that no server has served for an hour; their names.
    ///
    /// `began` is when this server did (milliseconds). So a server that starts with an older file ends nothing of a client that another one serves, nor while that one is restarted.
    pub async fn end_unserved_clients(
        &self,
        served: &[ConfiguredClient],
        began: i64,
        cut: &Cut,
    ) -> Result<Vec<String>, StoreError> {
        let mut ended = Vec::new();
        for row in self.database.read(&LEFT, params![]).await? {
            let mut row = row.fields();
            let (client_id, gone_at, served_at): (String, i64, i64) = (row.take()?, row.take()?, row.take()?);
            // Whoever runs for less than that has not given the others the time to say it.
            let unserved = gone_at.max(served_at).max(began) <= cut.at.saturating_sub(UNSERVED);
            if served.iter().any(|client| client.client_id == client_id) {
                self.database
                    .write(Lane::Main, "configured_client.serve", {
                        let at = cut.at;
                        async move |tx| tx.execute(&SERVE, params![&client_id, at]).await
                    })
                    .await?;
            } else if unserved && self.end_client(&client_id, cut).await? {
                ended.push(client_id);
            }
        }
        Ok(ended)
    }

    /// `false` when the client is served again, or registered in the store.
    async fn end_client(&self, client_id: &str, cut: &Cut) -> Result<bool, StoreError> {
        let (client_id, cut) = (client_id.to_owned(), cut.clone());
        self.database
            .write(Lane::Main, "configured_client.end", async move |tx| {
                let row = params![&client_id, cut.at.saturating_sub(UNSERVED)];
                if tx.execute(&END, row).await? == 0 || is_registered(tx, &client_id).await? {
                    return Ok(false);
                }
                client::end_tokens(tx, &client_id, &cut).await?;
                let audit = NewAudit {
                    details: r#"{"ended":"refresh tokens"}"#.to_owned(),
                    ..NewAudit::success("system", AuditAction::ClientDelete, client_id.as_str())
                };
                audit::append(tx, &audit, cut.at).await?;
                Ok(true)
            })
            .await
    }
}

async fn known(tx: Tx<'_>) -> Result<HashMap<String, Known>, StoreError> {
    let mut known = HashMap::new();
    for row in tx.all(&ALL, params![]).await? {
        let mut row = row.fields();
        let client = ConfiguredClient {
            client_id: row.take()?,
            service: row.take()?,
            entry_ttl_ms: row.take()?,
        };
        let gone_at = row.take()?;
        known.insert(client.client_id.clone(), Known { client, gone_at });
    }
    Ok(known)
}

/// What is to be told, when there is anything to take back.
async fn take_back(tx: Tx<'_>, left: &Known, cut: &Cut) -> Result<Option<NewEntry>, StoreError> {
    let id = &left.client.client_id;
    if is_registered(tx, id).await? {
        tx.execute(&FORGET, params![id]).await?;
        return Ok(None);
    }
    if left.gone_at.is_some_and(|at| at < cut.at.saturating_sub(DAY)) {
        return Ok(None);
    }
    if left.gone_at.is_none() {
        tx.execute(&GONE, params![id, cut.at]).await?;
        let audit = NewAudit::success("system", AuditAction::ClientDelete, id.as_str());
        audit::append(tx, &audit, cut.at).await?;
    }
    let entry = NewEntry::until_now(RevocationKind::Client, id.clone(), cut);
    Ok(Some(entry))
}

async fn is_registered(tx: Tx<'_>, client_id: &str) -> Result<bool, StoreError> {
    let row = tx.optional(&REGISTERED, params![client_id]).await?;
    Ok(row.is_some())
}

/// Longer than nodes take to be restarted one after the other.
const DAY: i64 = 86_400_000;
/// Longer than one server is away while it is restarted.
const UNSERVED: i64 = 3_600_000;

static ALL: Statement = Statement::new(
    "configured_client.all",
    "SELECT client_id, service, entry_ttl, gone_at FROM configured_clients",
);

static PUT: Statement = Statement::new(
    "configured_client.put",
    "INSERT INTO configured_clients (client_id, service, entry_ttl) VALUES ($1, $2, $3)
     ON CONFLICT (client_id) DO UPDATE SET service = $2, entry_ttl = $3, gone_at = NULL",
);

static GONE: Statement = Statement::new(
    "configured_client.gone",
    "UPDATE configured_clients SET gone_at = $2 WHERE client_id = $1",
);

static FORGET: Statement = Statement::new(
    "configured_client.forget",
    "DELETE FROM configured_clients WHERE client_id = $1",
);

/// Those that a server has started without since the last one started with them, and when they were served last.
static LEFT: Statement = Statement::new(
    "configured_client.left",
    "SELECT client_id, gone_at, served_at FROM configured_clients WHERE gone_at IS NOT NULL ORDER BY client_id",
);

static SERVE: Statement = Statement::new(
    "configured_client.serve",
    "UPDATE configured_clients SET served_at = $2 WHERE client_id = $1 AND served_at < $2",
);

static END: Statement = Statement::new(
    "configured_client.end",
    "DELETE FROM configured_clients WHERE client_id = $1 AND gone_at <= $2 AND served_at <= $2",
);

static REGISTERED: Statement = Statement::new(
    "configured_client.registered",
    "SELECT client_id FROM clients WHERE client_id = $1 AND state = 'active'",
);

pub(crate) static STATEMENTS: [&Statement; 8] =
    [&ALL, &PUT, &GONE, &FORGET, &LEFT, &SERVE, &END, &REGISTERED];
