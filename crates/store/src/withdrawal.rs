//! Withdrawals: a user takes back what they have let a client do.
//!
//! Spec: OAuth 2.0 Grant Management (the idea) · RFC 9700 §4.11.2

use carnet_oauth::revocation::RevocationKind;

use crate::audit;
use crate::cut::Cut;
use crate::database::{Lane, Statement, Tx, params};
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
        let (sub, client_id, cut) = (sub.to_owned(), client_id.to_owned(), cut.clone());
        self.database
            .write(Lane::Main, "withdrawal.withdraw", async move |tx| {
                session::lock_user(tx, user).await?;
                tx.execute(&REVOKE_GRANTS, params![user, &client_id, cut.at])
                    .await?;
                tx.execute(&REMEMBER, params![user, &client_id, cut.at]).await?;
                let ended = session::end_all_at(tx, user, &client_id, &cut).await?;
                // What lives on of sessions that ended before dies by its age.
                let both = revocation::at_client(&sub, &client_id);
                let entry = NewEntry::before_now(RevocationKind::SubClient, both, &cut);
                revocation::add(tx, vec![entry]).await?;
                audit::append(tx, &cut.audit, cut.at).await?;
                Ok(ended)
            })
            .await
    }
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
