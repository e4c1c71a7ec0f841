//! Withdrawals: a user takes back what they have let a client do.
//!
//! Spec: OAuth 2.0 Grant Management (the idea) · RFC 9700 §4.11.2

use carnet_oauth::revocation::RevocationKind;

use crate::audit;
use crate::cut::Cut;
use crate::database::{Lane, Statement, Tx, params};
use crate::ended_session;
use crate::error::StoreError;
use crate::id::Id;
use crate::revocation::{self, NewEntry};
use crate::session;
use crate::store::Store;

impl Store {
    /// Withdraw everything that a user has let a client do; how many sessions ended with it.
    ///
    /// In one transaction: what is remembered, the client's sessions with their families and access tokens, and every code that is
    /// still to be redeemed.
    pub async fn withdraw_consent(
        &self,
        (user, sub): (Id, &str),
        client_id: &str,
        cut: &Cut,
    ) -> Result<u64, StoreError> {
        self.withdraw((user, sub), client_id, Second::WhatIsNamed, cut)
            .await
    }

    /// As [`Store::withdraw_consent`], for a client that exchanges tokens: those that it got by that have the session of somebody else,
    /// which lives on. So whatever was made for it in this second is taken back, and until the next begins it gets nothing that would live.
    pub async fn withdraw_with_exchanged(
        &self,
        (user, sub): (Id, &str),
        client_id: &str,
        cut: &Cut,
    ) -> Result<u64, StoreError> {
        self.withdraw((user, sub), client_id, Second::Whole, cut).await
    }

    async fn withdraw(
        &self,
        (user, sub): (Id, &str),
        client_id: &str,
        second: Second,
        cut: &Cut,
    ) -> Result<u64, StoreError> {
        let (sub, client_id, cut) = (sub.to_owned(), client_id.to_owned(), cut.clone());
        self.database
            .write(Lane::Main, "withdrawal.withdraw", async move |tx| {
                session::lock_user(tx, user).await?;
                tx.execute(&REVOKE_GRANTS, params![user, &client_id, cut.at])
                    .await?;
                let both = revocation::at_client(&sub, &client_id);
                let (until, entry) = match second {
                    Second::WhatIsNamed => (
                        cut.at,
                        NewEntry::before_now(RevocationKind::SubClient, both, &cut),
                    ),
                    Second::Whole => (
                        cut.at - cut.at.rem_euclid(1_000) + 999,
                        NewEntry::until_now(RevocationKind::SubClient, both, &cut),
                    ),
                };
                tx.execute(&REMEMBER, params![user, &client_id, until]).await?;
                let ended = session::end_all_at(tx, user, &client_id, &cut).await?;
                ended_session::take_back_a_moment_ago(tx, user, Some(&client_id), &cut).await?;
                // What lives on of sessions that ended before dies by its age.
                revocation::add(tx, vec![entry], &cut).await?;
                audit::append(tx, &cut.audit, cut.at).await?;
                Ok(ended)
            })
            .await
    }
}

/// What a withdrawal does to tokens of its own second.
#[derive(Clone, Copy)]
enum Second {
    /// Those whose sessions it names end: the client may begin anew at once.
    WhatIsNamed,
    /// All of them end.
    Whole,
}

/// Whether what the user let the client do at `allowed_at` was withdrawn since. The caller has locked the user.
pub(crate) async fn is_withdrawn(
    tx: Tx<'_>,
    user: Id,
    client_id: &str,
    allowed_at: i64,
) -> Result<bool, StoreError> {
    let row = params![user, client_id, allowed_at];
    Ok(tx.optional(&SINCE, row).await?.is_some())
}

static REVOKE_GRANTS: Statement = Statement::new(
    "withdrawal.revoke_grants",
    "UPDATE grants SET revoked_at = $3 WHERE user_id = $1 AND client_id = $2 AND revoked_at IS NULL",
);

static REMEMBER: Statement = Statement::new(
    "withdrawal.remember",
    "INSERT INTO withdrawals (user_id, client_id, withdrawn_at) VALUES ($1, $2, $3)
     ON CONFLICT (user_id, client_id) DO UPDATE SET withdrawn_at = $3",
);

static SINCE: Statement = Statement::new(
    "withdrawal.since",
    "SELECT withdrawn_at FROM withdrawals WHERE user_id = $1 AND client_id = $2 AND withdrawn_at >= $3",
);

pub(crate) static STATEMENTS: [&Statement; 3] = [&REVOKE_GRANTS, &REMEMBER, &SINCE];
