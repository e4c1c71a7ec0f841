//! What is remembered of the clients of the configuration file: enough to notice at a start that one is gone from it, or another service.
//!
//! Spec: RFC 7009 §2.1 (what is revoked is of no use any more)

use std::collections::HashMap;

use carnet_oauth::revocation::RevocationKind;

use crate::audit::{self, AuditAction, NewAudit};
use crate::cut::Cut;
use crate::database::{Lane, Statement, Tx, params};
use crate::error::StoreError;
use crate::revocation::{self, NewEntry};
use crate::settings;
use crate::store::Store;

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
    /// Remember the clients of the configuration file, and take back the tokens of those that have left it; their names.
    ///
    /// One that is registered in the store since then is not gone. For a day after it went each start takes them back again: another
    /// node may have run with the old file until now. The settings epoch moves when there are services, or were.
    pub async fn know_configured_clients(
        &self,
        clients: &[ConfiguredClient],
        cut: &Cut,
    ) -> Result<Vec<String>, StoreError> {
        let (clients, cut) = (clients.to_vec(), cut.clone());
        self.database
            .write(Lane::Main, "configured_client.know", async move |tx| {
                let mut known = known(tx).await?;
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
                let mut gone = Vec::new();
                let mut left: Vec<_> = known.into_values().collect();
                left.sort_by(|a, b| a.client.client_id.cmp(&b.client.client_id));
                for left in left {
                    services_changed |= left.gone_at.is_none() && !left.client.service.is_empty();
                    if take_back(tx, &left, &cut).await? {
                        gone.push(left.client.client_id);
                    }
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

/// Whether there was anything to take back.
async fn take_back(tx: Tx<'_>, left: &Known, cut: &Cut) -> Result<bool, StoreError> {
    let id = &left.client.client_id;
    let registered = tx.optional(&REGISTERED, params![id]).await?.is_some();
    let long_gone = left.gone_at.is_some_and(|at| at < cut.at.saturating_sub(DAY));
    if registered || long_gone {
        tx.execute(&FORGET, params![id]).await?;
        return Ok(false);
    }
    if left.gone_at.is_none() {
        tx.execute(&GONE, params![id, cut.at]).await?;
        let audit = NewAudit::success("system", AuditAction::ClientDelete, id.as_str());
        audit::append(tx, &audit, cut.at).await?;
    }
    let cut = Cut {
        entry_ttl_ms: cut.entry_ttl_ms.max(left.client.entry_ttl_ms),
        ..cut.clone()
    };
    let entry = NewEntry::until_now(RevocationKind::Client, id.clone(), &cut);
    revocation::add(tx, vec![entry]).await?;
    Ok(true)
}

/// Longer than nodes take to be restarted one after the other.
const DAY: i64 = 86_400_000;

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

static REGISTERED: Statement = Statement::new(
    "configured_client.registered",
    "SELECT client_id FROM clients WHERE client_id = $1 AND state = 'active'",
);

pub(crate) static STATEMENTS: [&Statement; 5] = [&ALL, &PUT, &GONE, &FORGET, &REGISTERED];
