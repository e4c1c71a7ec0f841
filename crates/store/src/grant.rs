//! Grants: who let which client do what.
//!
//! Spec: OAuth 2.0 Grant Management (the idea) · OpenID Connect Core §3.1.2.4 (consent)

use carnet_oauth::scope::ScopeSet;

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

impl Store {
    /// What a user has let a client do at a resource; `None` when there is no grant, or it was withdrawn.
    pub async fn granted_scope(&self, key: GrantKey<'_>) -> Result<Option<ScopeSet>, StoreError> {
        let row = params![key.user, key.client_id, key.audience];
        let row = self.database.read_one(&SCOPE, row).await?;
        let text: Option<String> = row.map(|row| row.fields().take()).transpose()?;
        let broken = |_| StoreError::Broken("a grant holds a scope that is none".to_owned());
        text.map(|text| text.parse().map_err(broken)).transpose()
    }

    /// Remember what a user lets a client do at a resource. `scope` is all of it.
    pub async fn remember_grant(
        &self,
        key: GrantKey<'_>,
        scope: &ScopeSet,
        (now, audit): (i64, &NewAudit),
    ) -> Result<(), StoreError> {
        let row = params![
            Id::new(now)?,
            key.user,
            key.client_id,
            key.audience,
            scope.to_string(),
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

static SCOPE: Statement = Statement::new(
    "grant.scope",
    "SELECT scope FROM grants WHERE user_id = $1 AND client_id = $2 AND audience = $3 AND revoked_at IS NULL",
);

static REMEMBER: Statement = Statement::new(
    "grant.remember",
    "INSERT INTO grants (id, user_id, client_id, audience, scope, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $6)
     ON CONFLICT (user_id, client_id, audience) DO UPDATE SET scope = $5, updated_at = $6, revoked_at = NULL",
);

pub(crate) static STATEMENTS: [&Statement; 2] = [&SCOPE, &REMEMBER];
