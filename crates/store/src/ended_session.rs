//! Sessions that have ended, and tokens of theirs that may live: a logout need not have taken them back.
//!
//! Spec: RFC 7009 §2.1

use carnet_oauth::revocation::RevocationKind;

use crate::client::ON_ITS_WAY_MS;
use crate::cut::Cut;
use crate::database::{Statement, Tx, params};
use crate::error::StoreError;
use crate::id::Id;
use crate::revocation::{self, NewEntry};
use crate::token_life;

/// Take back, by their names, the tokens of the user's sessions that have ended and may have left any. The user is locked.
pub(crate) async fn take_back(tx: Tx<'_>, user: Id, cut: &Cut) -> Result<(), StoreError> {
    let life = token_life::longest(tx, cut).await?;
    name(tx, (user, None), cut.at.saturating_sub(life), cut).await
}

/// As [`take_back`], of sessions that ended a moment ago, at this client or at any: what an entry with a time does not mean, since it is
/// about the seconds before.
pub(crate) async fn take_back_a_moment_ago(
    tx: Tx<'_>,
    user: Id,
    client_id: Option<&str>,
    cut: &Cut,
) -> Result<(), StoreError> {
    let second = cut.at - cut.at.rem_euclid(1_000);
    name(tx, (user, client_id), second.saturating_sub(ON_ITS_WAY_MS), cut).await
}

async fn name(
    tx: Tx<'_>,
    (user, client_id): (Id, Option<&str>),
    since: i64,
    cut: &Cut,
) -> Result<(), StoreError> {
    let (mut entries, mut last) = (Vec::new(), String::new());
    for row in tx.all(&ENDED, params![user, since, client_id]).await? {
        let mut row = row.fields();
        let (sid, ended_at, fam): (String, i64, Option<String>) = (row.take()?, row.take()?, row.take()?);
        // As of its end, so that what the logout has written is known to be the same.
        let end = cut.as_of(ended_at);
        if last != sid {
            last.clone_from(&sid);
            entries.push(NewEntry::of(RevocationKind::Sid, sid, &end));
        }
        entries.extend(fam.map(|fam| NewEntry::of(RevocationKind::Fam, fam, &end)));
    }
    revocation::add(tx, entries, cut).await?;
    Ok(())
}

static ENDED: Statement = Statement::new(
    "ended_session.of_user",
    "SELECT s.sid, s.ended_at, f.fam FROM sessions s LEFT JOIN families f ON f.session_id = s.id
     WHERE s.user_id = $1 AND s.ended_at >= $2 AND (CAST($3 AS TEXT) IS NULL OR s.client_id = $3)
     ORDER BY s.id, f.id",
);

pub(crate) static STATEMENTS: [&Statement; 1] = [&ENDED];
