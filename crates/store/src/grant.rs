//! Grants: who let which client do what.
//!
//! Spec: OAuth 2.0 Grant Management (the idea) · OpenID Connect Core §3.1.2.4 (consent)

use carnet_oauth::extent::Extent;

use crate::audit::{self, NewAudit};
use crate::database::{Lane, Statement, params};
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
        row.map(|row| {
            let mut row = row.fields();
            let (scope, claims): (String, String) = (row.take()?, row.take()?);
            let broken = |_| StoreError::Broken("a grant holds a scope that is none".to_owned());
            Ok(Extent {
                scope: scope.parse().map_err(broken)?,
                claims: claims.split_whitespace().map(str::to_owned).collect(),
            })
        })
        .transpose()
    }

    /// Remember what a user lets a client do at a resource. `extent` is all of it.
    pub async fn remember_grant(
        &self,
        key: GrantKey<'_>,
        extent: &Extent,
        (now, audit): (i64, &NewAudit),
    ) -> Result<(), StoreError> {
        let claims: Vec<&str> = extent.claims.iter().map(String::as_str).collect();
        let row = params![
            Id::new(now)?,
            key.user,
            key.client_id,
            key.audience,
            extent.scope.to_string(),
            claims.join(" "),
            now
        ];
        let audit = audit.clone();
        self.database
            .write(Lane::Main, "grant.remember", async move |tx| {
                tx.execute(&REMEMBER, row.clone()).await?;
                audit::append(tx, &audit, now).await
            })
            .await
    }
}

static EXTENT: Statement = Statement::new(
    "grant.extent",
    "SELECT scope, claims FROM grants WHERE user_id = $1 AND client_id = $2 AND audience = $3 AND revoked_at IS NULL",
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

pub(crate) static STATEMENTS: [&Statement; 3] = [&EXTENT, &OF_USER, &REMEMBER];
