//! Rotation: a spent refresh token for the next one, once.
//!
//! Spec: RFC 6749 §6 · RFC 9700 §4.14.2

use crate::cut::{Cut, Reason};
use crate::database::{Lane, Param, Statement, Tx, params};
use crate::error::StoreError;
use crate::family::{self, Family};
use crate::judge::{Moved, Verdict, judge};
use crate::store::Store;

/// What came of a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotated {
    /// A new generation: give out its token.
    Fresh(Family),
    /// An honest retry: give out the same token again. Nothing changed.
    Same(Family),
    /// Theft: the family is now revoked, its access tokens with it, and it is on record.
    Reused(Family),
    /// The family has rested or lived too long.
    Expired,
    /// The family was revoked before.
    Revoked,
    /// No such token was ever made.
    Unknown,
}

impl Store {
    /// Present generation `n` of a family, read at any time before, at `now`. With `jkt`, a family that is bound to no key yet is bound to this one from now on;
    /// whether the key of one that is bound was proven is for the caller to see, in the family that comes back.
    ///
    /// `theft` is asked when the token turns out to be spent, and told when: the entry's life and the audit row, written
    /// in the transaction that revokes the family (its reason is always [`Reason::Reuse`]).
    pub async fn rotate(
        &self,
        family: Family,
        (n, jkt): (i64, Option<&str>),
        (now, grace_ms): (i64, i64),
        theft: impl FnOnce(i64) -> Cut,
    ) -> Result<Rotated, StoreError> {
        let shown = Shown::of(&family, (n, jkt), (now, grace_ms), Moved::rotated);
        self.present(family, shown, theft).await
    }

    /// As [`Store::rotate`], of a family whose live token stays the live one: it rests from now on anew, and comes back as
    /// [`Rotated::Fresh`]. A token that was spent while the family rotated is still a theft.
    pub async fn renew(
        &self,
        family: Family,
        (n, jkt): (i64, Option<&str>),
        (now, grace_ms): (i64, i64),
        theft: impl FnOnce(i64) -> Cut,
    ) -> Result<Rotated, StoreError> {
        let shown = Shown::of(&family, (n, jkt), (now, grace_ms), Moved::renewed);
        self.present(family, shown, theft).await
    }

    async fn present(
        &self,
        family: Family,
        shown: Shown,
        theft: impl FnOnce(i64) -> Cut,
    ) -> Result<Rotated, StoreError> {
        let (n, now, grace_ms) = (shown.n, shown.now, shown.grace_ms);
        // If the family is still as it was read, the judgement stands, and one statement does it.
        let planned = (judge(&family, n, now, grace_ms) == Verdict::Rotate)
            .then(|| shown.moved(&family))
            .map(|moved| (change(&family, &moved), moved));
        // Rotations of one family queue in one lane, so that on PostgreSQL they do not wait for each other's locks.
        let first = self
            .database
            .write(Lane::of(&family.fam), "family.rotate", async move |tx| {
                if let Some((change, moved)) = &planned
                    && tx.execute(&MOVE, change.clone()).await? == 1
                {
                    return Ok(Presented::AsRead(moved.clone()));
                }
                present_locked(tx, &shown).await
            })
            .await?;
        match first {
            Presented::AsRead(moved) => Ok(Rotated::Fresh(moved.in_family(family))),
            Presented::Otherwise(rotated) => Ok(*rotated),
            Presented::Theft => self.take_down(family.fam, (n, grace_ms), theft(now)).await,
        }
    }

    /// The rare path has its own transaction in the lane of revocations: it takes the revocation clock's row.
    async fn take_down(
        &self,
        fam: String,
        (n, grace_ms): (i64, i64),
        theft: Cut,
    ) -> Result<Rotated, StoreError> {
        let cut = Cut {
            reason: Reason::Reuse,
            ..theft
        };
        self.database
            .write(Lane::Main, "family.reuse", async move |tx| {
                let Some(family) = family::lock_with_session(tx, &fam).await? else {
                    return Ok(Rotated::Unknown);
                };
                match judge(&family, n, cut.at, grace_ms) {
                    Verdict::Revoked => Ok(Rotated::Revoked),
                    // A generation never becomes live again, so what was theft is theft, or somebody else saw it.
                    _ => Ok(Rotated::Reused(family::revoke(tx, &family, &cut).await?)),
                }
            })
            .await
    }
}

/// A token as it is shown.
struct Shown {
    fam: String,
    n: i64,
    jkt: Option<String>,
    now: i64,
    grace_ms: i64,
    /// What it does when it is the live one.
    step: Step,
}

type Step = fn(&Family, i64, Option<&str>) -> Moved;

impl Shown {
    fn of(family: &Family, (n, jkt): (i64, Option<&str>), (now, grace_ms): (i64, i64), step: Step) -> Self {
        Self {
            fam: family.fam.clone(),
            n,
            jkt: jkt.map(str::to_owned),
            now,
            grace_ms,
            step,
        }
    }

    fn moved(&self, family: &Family) -> Moved {
        (self.step)(family, self.now, self.jkt.as_deref())
    }
}

/// What one look at the family showed.
enum Presented {
    /// It is as it was read, and has moved so far.
    AsRead(Moved),
    Otherwise(Box<Rotated>),
    Theft,
}

/// Of a family that has changed since it was read, or whose token is not the live one: lock it and judge what it is now.
async fn present_locked(tx: Tx<'_>, shown: &Shown) -> Result<Presented, StoreError> {
    let Some(family) = family::lock(tx, &shown.fam).await? else {
        return Ok(Presented::Otherwise(Box::new(Rotated::Unknown)));
    };
    Ok(Presented::Otherwise(Box::new(
        match judge(&family, shown.n, shown.now, shown.grace_ms) {
            Verdict::Rotate => {
                let moved = shown.moved(&family);
                if tx.execute(&MOVE, change(&family, &moved)).await? != 1 {
                    return Err(StoreError::Broken("a family moved under its lock".to_owned()));
                }
                Rotated::Fresh(moved.in_family(family))
            }
            Verdict::Retry => Rotated::Same(family),
            Verdict::Expired => Rotated::Expired,
            Verdict::Revoked => Rotated::Revoked,
            Verdict::Unknown => Rotated::Unknown,
            Verdict::Reuse => return Ok(Presented::Theft),
        },
    )))
}

/// From what to what: the values of [`MOVE`].
fn change(from: &Family, to: &Moved) -> Vec<Param> {
    params![
        &from.fam,
        from.generation,
        from.idle_expires_at,
        from.jkt.as_deref().unwrap_or_default(),
        to.generation,
        to.issued_at,
        to.idle_expires_at,
        to.jkt.as_deref()
    ]
}

/// Compare and set: the row moves if everything in it that could have moved is as it was, and is not dead. Without RETURNING, for which SQLite makes
/// a table and a journal of their own at every call.
static MOVE: Statement = Statement::new(
    "rotation.move",
    "UPDATE families SET generation = $5, issued_at = $6, idle_expires_at = $7, jkt = $8
     WHERE fam = $1 AND generation = $2 AND idle_expires_at = $3 AND COALESCE(jkt, '') = $4 AND revoked_at IS NULL",
);

pub(crate) static STATEMENTS: [&Statement; 1] = [&MOVE];
