//! The last administrator: a change that would leave nobody to put things right is not made.

use crate::audit;
use crate::cut::Cut;
use crate::database::{Lane, Statement, Tx, params};
use crate::error::StoreError;
use crate::role;
use crate::settings;
use crate::store::Store;
use crate::user::{self, UserState};

impl Store {
    /// As [`Store::set_user_state`], but [`StoreError::Conflict`] `last_administrator`, and nothing is done, when no active user would
    /// hold `role` any more.
    pub async fn set_user_state_unless_last(
        &self,
        (sub, state): (&str, UserState),
        role: &str,
        cut: &Cut,
    ) -> Result<bool, StoreError> {
        let (sub, role, cut) = (sub.to_owned(), role.to_owned(), cut.clone());
        self.database
            .write(Lane::Main, "administrator.set_user_state", async move |tx| {
                let before = Before::of(tx, &role).await?;
                if !user::change_state(tx, &sub, state, &cut).await? {
                    return Ok(false);
                }
                audit::append(tx, &cut.audit, cut.at).await?;
                before.allows(tx, &role).await?;
                Ok(true)
            })
            .await
    }

    /// As [`Store::take_role`], but [`StoreError::Conflict`] `last_administrator`, and nothing is done, when no active user would hold the
    /// role any more.
    pub async fn take_role_unless_last(&self, sub: &str, role: &str) -> Result<bool, StoreError> {
        let (sub, role) = (sub.to_owned(), role.to_owned());
        self.database
            .write(Lane::Main, "administrator.take_role", async move |tx| {
                let before = Before::of(tx, &role).await?;
                let taken = role::take_of(tx, &sub, &role).await?;
                settings::bump(tx).await?;
                before.allows(tx, &role).await?;
                Ok(taken)
            })
            .await
    }

    /// As [`Store::remove_role`], but [`StoreError::Conflict`] `last_administrator`, and nothing is done, when an active user holds it.
    pub async fn remove_role_unless_last(&self, role: &str) -> Result<bool, StoreError> {
        let role = role.to_owned();
        self.database
            .write(Lane::Main, "administrator.remove_role", async move |tx| {
                let before = Before::of(tx, &role).await?;
                if !role::remove(tx, &role).await? {
                    return Ok(false);
                }
                settings::bump(tx).await?;
                before.allows(tx, &role).await?;
                Ok(true)
            })
            .await
    }
}

/// Whether there was an administrator.
struct Before(bool);

impl Before {
    /// The role's row stays locked: of two who take it from each other, the second sees what the first has done.
    async fn of(tx: Tx<'_>, role: &str) -> Result<Self, StoreError> {
        role::find(tx, role).await?;
        is_administered(tx, role).await.map(Self)
    }

    async fn allows(&self, tx: Tx<'_>, role: &str) -> Result<(), StoreError> {
        match self.0 && !is_administered(tx, role).await? {
            true => Err(LAST),
            false => Ok(()),
        }
    }
}

/// Whether an active user holds the role.
pub(crate) async fn is_administered(tx: Tx<'_>, role: &str) -> Result<bool, StoreError> {
    Ok(tx.optional(&ADMINISTRATOR, params![role]).await?.is_some())
}

/// What would leave nobody.
pub(crate) const LAST: StoreError = StoreError::Conflict("last_administrator");

static ADMINISTRATOR: Statement = Statement::new(
    "administrator.find",
    "SELECT u.id FROM user_roles h JOIN roles r ON r.id = h.role_id JOIN users u ON u.id = h.user_id
     WHERE r.name = $1 AND u.state = 'active' LIMIT 1",
);

pub(crate) static STATEMENTS: [&Statement; 1] = [&ADMINISTRATOR];
