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
    /// In the same transaction every session but `keep_session` ends, their families die and their `sid`s
    /// and `fam`s are revoked one by one: never by a time, or a login in the same second would die too.
    pub async fn set_password(
        &self,
        sub: &str,
        hash: &str,
        change: PasswordChange<'_>,
    ) -> Result<bool, StoreError> {
        let (sub, hash, cut) = (sub.to_owned(), hash.to_owned(), change.cut.clone());
        let (keep, now) = (change.keep_session, change.now);
        self.database
            .write(Lane::Main, "credential.set_password", async move |tx| {
                let Some(user) = tx.optional(&TOUCH_USER, params![&sub, now]).await? else {
                    return Ok(false);
                };
                let user: Id = user.fields().take()?;
                put_password(tx, user, &hash, now).await?;
                session::end_all(tx, user, keep, Strength::DenyList, now, &cut).await?;
                audit::append(tx, &cut.audit, now).await?;
                Ok(true)
            })
            .await
    }
}
