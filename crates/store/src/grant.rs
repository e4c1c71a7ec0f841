//! Grants: who let which client do what.
//!
//! Spec: OAuth 2.0 Grant Management (the idea) · OpenID Connect Core §3.1.2.4 (consent)

use carnet_oauth::extent::Extent;

use crate::audit::{self, NewAudit};
use crate::database::{Fields, Lane, Statement, params};
use crate::error::StoreError;
use crate::id::Id;
use crate::store::Store;

/// What is let: by whom, to which client, at which resource.
#[derive(Clone, Copy, Debug)]
pub struct GrantKey<'a> {
    /// The user.
    pub user: Id,
    /// The client.
    pub client_id: &'a str,
    /// The resource.
    pub audience: &'a str,
}

/// A grant as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The client.
    pub client_id: String,
    /// The resource.
    pub audience: String,
    /// What it may do there.
    pub scope: String,
    /// When the user first said so, in milliseconds.
    pub created_at: i64,
}

impl Store {
    /// What a user lets clients do, by client and resource.
    pub async fn grants_of(&self, user: Id) -> Result<Vec<Grant>, StoreError> {
        let rows = self.database.read(&OF_USER, params![user]).await?;
        rows.into_iter()
            .map(|row| {
                let mut row = row.fields();
                Ok(Grant {
                    client_id: row.take()?,
                    audience: row.take()?,
                    scope: row.take()?,
                    created_at: row.take()?,
                })
            })
            .collect()
    }

    /// What a user has let a client do at a resource; `None` when there is no grant, or it was withdrawn.
    pub async fn granted(&self, key: GrantKey<'_>) -> Result<Option<Extent>, StoreError> {
        let row = params![key.user, key.client_id, key.audience];
        let row = self.database.read_one(&EXTENT, row).await?;
        row.map(|row| read_extent(&mut row.fields())).transpose()
    }

    /// Remember what a user lets a client do at a resource, beside what they let it do before.
    pub async fn remember_grant(
        &self,
        key: GrantKey<'_>,
        extent: &Extent,
        (now, audit): (i64, &NewAudit),
    ) -> Result<(), StoreError> {
        let (id, user) = (Id::new(now)?, key.user);
        let (client_id, audience) = (key.client_id.to_owned(), key.audience.to_owned());
        let (extent, audit) = (extent.clone(), audit.clone());
        self.database
            .write(Lane::Main, "grant.remember", async move |tx| {
                // Locked: neither a yes in another tab nor a withdrawal is lost between reading and writing.
                let before = tx.optional(&LOCK, params![user, &client_id, &audience]).await?;
                let before = before.map(|row| read_extent(&mut row.fields())).transpose()?;
                let all = before.unwrap_or_default().union(&extent);
                let claims: Vec<&str> = all.claims.iter().map(String::as_str).collect();
                let row = params![
                    id,
                    user,
                    &client_id,
                    &audience,
                    all.scope.to_string(),
                    claims.join(" "),
                    now
                ];
                tx.execute(&REMEMBER, row).await?;
                audit::append(tx, &audit, now).await
            })
            .await
    }
}

fn read_extent(row: &mut Fields) -> Result<Extent, StoreError> {
    let (scope, claims): (String, String) = (row.take()?, row.take()?);
    let broken = |_| StoreError::Broken("a grant holds a scope that is none".to_owned());
    Ok(Extent {
        scope: scope.parse().map_err(broken)?,
        claims: claims.split_whitespace().map(str::to_owned).collect(),
    })
}

static EXTENT: Statement = Statement::new(
    "grant.extent",
    "SELECT scope, claims FROM grants WHERE user_id = $1 AND client_id = $2 AND audience = $3 AND revoked_at IS NULL",
);

static LOCK: Statement = Statement::new(
    "grant.lock",
    "UPDATE grants SET updated_at = updated_at
     WHERE user_id = $1 AND client_id = $2 AND audience = $3 AND revoked_at IS NULL RETURNING scope, claims",
);

static OF_USER: Statement = Statement::new(
    "grant.of_user",
    "SELECT client_id, audience, scope, created_at FROM grants WHERE user_id = $1 AND revoked_at IS NULL ORDER BY client_id, audience",
);

static REMEMBER: Statement = Statement::new(
    "grant.remember",
    "INSERT INTO grants (id, user_id, client_id, audience, scope, claims, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
     ON CONFLICT (user_id, client_id, audience) DO UPDATE SET scope = $5, claims = $6, updated_at = $7, revoked_at = NULL",
);

pub(crate) static STATEMENTS: [&Statement; 4] = [&EXTENT, &LOCK, &OF_USER, &REMEMBER];
