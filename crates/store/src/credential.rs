//! Password hashes.

use crate::audit;
use crate::cut::Cut;
use crate::database::{Lane, Statement, Tx, params};
use crate::error::StoreError;
use crate::id::Id;
use crate::session::{self, Strength};
use crate::store::Store;

impl Store {
    /// Set a user's password hash; `false` when there is no such user.
    ///
    /// In the same transaction every session but `keep_session` (a `sid`) ends, their families die and their `sid`s
    /// and `fam`s are revoked one by one: never by a time, or a login in the same second would die too.
    pub async fn set_password(
        &self,
        sub: &str,
        hash: &str,
        keep_session: Option<&str>,
        cut: &Cut,
    ) -> Result<bool, StoreError> {
        let (sub, hash, cut) = (sub.to_owned(), hash.to_owned(), cut.clone());
        let keep = keep_session.map(str::to_owned);
        self.database
            .write(Lane::Main, "credential.set_password", async move |tx| {
                let Some(user) = tx.optional(&TOUCH_USER, params![&sub, cut.at]).await? else {
                    return Ok(false);
                };
                let user: Id = user.fields().take()?;
                put_password(tx, user, &hash, cut.at).await?;
                session::end_all(tx, user, keep.as_deref(), Strength::DenyList, &cut).await?;
                audit::append(tx, &cut.audit, cut.at).await?;
                Ok(true)
            })
            .await
    }

    /// Replace a hash by a stronger one of the same password, at login; `false` when it changed meanwhile.
    ///
    /// The password stays what it was, so nothing ends and the time of its change stays.
    pub async fn replace_password_hash(
        &self,
        sub: &str,
        old_hash: &str,
        new_hash: &str,
        now: i64,
    ) -> Result<bool, StoreError> {
        let (sub, old, new) = (sub.to_owned(), old_hash.to_owned(), new_hash.to_owned());
        self.database
            .write(Lane::Main, "credential.replace_hash", async move |tx| {
                let Some(user) = tx.optional(&TOUCH_USER, params![&sub, now]).await? else {
                    return Ok(false);
                };
                let user: Id = user.fields().take()?;
                Ok(tx.execute(&REPLACE, params![user, &old, &new]).await? == 1)
            })
            .await
    }
}

/// Give the user this hash. The time of change always advances, so that no two passwords share one.
pub(crate) async fn put_password(tx: Tx<'_>, user: Id, hash: &str, now: i64) -> Result<(), StoreError> {
    tx.execute(&PUT, params![user, hash, now]).await?;
    Ok(())
}

/// Whether the user's password is still the one that changed at this moment.
pub(crate) async fn is_unchanged(tx: Tx<'_>, user: Id, changed_at: i64) -> Result<bool, StoreError> {
    Ok(tx
        .optional(&UNCHANGED, params![user, changed_at])
        .await?
        .is_some())
}

static TOUCH_USER: Statement = Statement::new(
    "credential.touch_user",
    "UPDATE users SET updated_at = $2 WHERE sub = $1 AND state <> 'deleted' RETURNING id",
);

static PUT: Statement = Statement::new(
    "credential.put",
    "INSERT INTO credentials (user_id, kind, secret, changed_at) VALUES ($1, 'password', $2, $3)
     ON CONFLICT (user_id, kind) DO UPDATE SET
       secret = $2,
       changed_at = CASE WHEN credentials.changed_at >= $3 THEN credentials.changed_at + 1 ELSE $3 END",
);

static REPLACE: Statement = Statement::new(
    "credential.replace",
    "UPDATE credentials SET secret = $3 WHERE user_id = $1 AND kind = 'password' AND secret = $2",
);

static UNCHANGED: Statement = Statement::new(
    "credential.unchanged",
    "SELECT user_id FROM credentials WHERE user_id = $1 AND kind = 'password' AND changed_at = $2",
);

pub(crate) static STATEMENTS: [&Statement; 4] = [&TOUCH_USER, &PUT, &REPLACE, &UNCHANGED];
