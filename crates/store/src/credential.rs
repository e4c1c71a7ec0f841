//! Password hashes.

use crate::audit;
use crate::cut::Cut;
use crate::database::{Lane, Statement, Tx, params};
use crate::ended_session;
use crate::error::StoreError;
use crate::id::Id;
use crate::session::{self, Strength};
use crate::store::Store;

/// Another password for a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPassword {
    /// Whose.
    pub sub: String,
    /// Its hash.
    pub hash: String,
    /// When the old password that was checked had last changed; if it has changed since, nothing happens. `None`: none was checked.
    pub unless_changed_since: Option<i64>,
    /// The `sid` of the session that lives on.
    pub keep_session: Option<String>,
}

impl NewPassword {
    /// One that an operator gives, whatever the old one was; every session ends.
    pub fn given(sub: &str, hash: String) -> Self {
        Self {
            sub: sub.to_owned(),
            hash,
            unless_changed_since: None,
            keep_session: None,
        }
    }
}

impl Store {
    /// Set a user's password hash; `false` when there is no such user, or the password is not the one that was checked.
    ///
    /// In the same transaction every session but the kept one ends, their families die and their `sid`s and `fam`s are revoked one by one,
    /// those of sessions that ended before and left their access tokens as well: never by a time, or a login in the same second would die
    /// too, and the session that lives on.
    pub async fn set_password(&self, new: &NewPassword, cut: &Cut) -> Result<bool, StoreError> {
        let (new, cut) = (new.clone(), cut.clone());
        self.database
            .write(Lane::Main, "credential.set_password", async move |tx| {
                let Some(user) = tx.optional(&TOUCH_USER, params![&new.sub, cut.at]).await? else {
                    return Ok(false);
                };
                let user: Id = user.fields().take()?;
                if let Some(changed_at) = new.unless_changed_since
                    && !is_unchanged(tx, user, changed_at).await?
                {
                    return Ok(false);
                }
                put_password(tx, user, &new.hash, cut.at).await?;
                session::end_all(tx, user, new.keep_session.as_deref(), Strength::DenyList, &cut).await?;
                ended_session::take_back(tx, user, &cut).await?;
                audit::append(tx, &cut.audit, cut.at).await?;
                Ok(true)
            })
            .await
    }

    /// Some of the hashes that do not begin like this: imported ones that nobody has logged in with yet. 1,000 at most.
    pub async fn password_hashes_unlike(&self, beginning: &str) -> Result<Vec<String>, StoreError> {
        let pattern = format!("{beginning}%");
        let rows = self.database.read(&UNLIKE, params![pattern]).await?;
        rows.into_iter().map(|row| row.fields().take()).collect()
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

static UNLIKE: Statement = Statement::new(
    "credential.unlike",
    "SELECT secret FROM credentials WHERE kind = 'password' AND secret NOT LIKE $1 ORDER BY secret DESC LIMIT 1000",
);

static UNCHANGED: Statement = Statement::new(
    "credential.unchanged",
    "SELECT user_id FROM credentials WHERE user_id = $1 AND kind = 'password' AND changed_at = $2",
);

pub(crate) static STATEMENTS: [&Statement; 5] = [&TOUCH_USER, &PUT, &REPLACE, &UNLIKE, &UNCHANGED];
