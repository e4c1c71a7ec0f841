//! Rotation: a spent refresh token for the next one, once.
//!
//! Spec: RFC 6749 §6 · RFC 9700 §4.14.2

use crate::cut::{Cut, Reason};
use crate::database::{Lane, Statement, Tx, params};
use crate::error::StoreError;
use crate::family::{self, Family};
use crate::judge::{Verdict, judge};
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
    /// Present generation `n` of a family, read at any time before, at `theft.at`. With `jkt`, a family that is bound to no key yet is bound to this one from now on;
    /// whether the key of one that is bound was proven is for the caller to see, in the family that comes back.
    ///
    /// `theft` is what happens when the token turns out to be spent: the entry's life and the audit row, written
    /// in the transaction that revokes the family (its reason is always [`Reason::Reuse`]).
    pub async fn rotate(
        &self,
        family: &Family,
        (n, jkt): (i64, Option<&str>),
        grace_ms: i64,
        theft: &Cut,
    ) -> Result<Rotated, StoreError> {
        self.present(&ROTATE, family, (n, jkt), (grace_ms, theft)).await
    }

    /// As [`Store::rotate`], of a family whose live token stays the live one: it rests from now on anew, and comes back as
    /// [`Rotated::Fresh`]. A token that was spent while the family rotated is still a theft.
    pub async fn renew(
        &self,
        family: &Family,
        (n, jkt): (i64, Option<&str>),
        grace_ms: i64,
        theft: &Cut,
    ) -> Result<Rotated, StoreError> {
        self.present(&RENEW, family, (n, jkt), (grace_ms, theft)).await
    }

    async fn present(
        &self,
        live: &'static Statement,
        family: &Family,
        (n, jkt): (i64, Option<&str>),
        (grace_ms, theft): (i64, &Cut),
    ) -> Result<Rotated, StoreError> {
        let (name, jkt, now) = (family.fam.clone(), jkt.map(str::to_owned), theft.at);
        // Rotations of one family queue in one lane, so that on PostgreSQL they do not wait for each other's locks.
        let first = self
            .database
            .write(Lane::of(&family.fam), "family.rotate", async move |tx| {
                present(tx, live, (&name, n, &jkt), (now, grace_ms)).await
            })
            .await?;
        match first {
            Presented::Live(moved) => Ok(Rotated::Fresh(moved.in_family(family))),
            Presented::Otherwise(rotated) => Ok(*rotated),
            Presented::Theft => self.take_down(&family.fam, n, grace_ms, theft).await,
        }
    }

    /// The rare path has its own transaction in the lane of revocations: it takes the revocation clock's row.
    async fn take_down(&self, fam: &str, n: i64, grace_ms: i64, theft: &Cut) -> Result<Rotated, StoreError> {
        let (fam, cut) = (
            fam.to_owned(),
            Cut {
                reason: Reason::Reuse,
                ..theft.clone()
            },
        );
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

/// What one look at the family showed.
enum Presented {
    Live(Moved),
    Otherwise(Box<Rotated>),
    Theft,
}

/// What the live token moves in its family. Nothing else in the row ever changes while it is not revoked.
struct Moved {
    generation: i64,
    issued_at: i64,
    idle_expires_at: i64,
    jkt: Option<String>,
}

impl Moved {
    fn in_family(self, family: &Family) -> Family {
        Family {
            generation: self.generation,
            issued_at: self.issued_at,
            idle_expires_at: self.idle_expires_at,
            jkt: self.jkt,
            revoked_at: None,
            revoked_reason: None,
            ..family.clone()
        }
    }
}

async fn present(
    tx: Tx<'_>,
    live: &'static Statement,
    (fam, n, jkt): (&str, i64, &Option<String>),
    (now, grace_ms): (i64, i64),
) -> Result<Presented, StoreError> {
    if let Some(row) = tx.optional(live, params![fam, n, now, jkt.as_deref()]).await? {
        let mut row = row.fields();
        return Ok(Presented::Live(Moved {
            generation: row.take()?,
            issued_at: row.take()?,
            idle_expires_at: row.take()?,
            jkt: row.take()?,
        }));
    }
    let Some(family) = family::lock(tx, fam).await? else {
        return Ok(Presented::Otherwise(Box::new(Rotated::Unknown)));
    };
    Ok(match judge(&family, n, now, grace_ms) {
        Verdict::Retry => Presented::Otherwise(Box::new(Rotated::Same(family))),
        Verdict::Expired => Presented::Otherwise(Box::new(Rotated::Expired)),
        Verdict::Revoked => Presented::Otherwise(Box::new(Rotated::Revoked)),
        Verdict::Unknown => Presented::Otherwise(Box::new(Rotated::Unknown)),
        Verdict::Reuse => Presented::Theft,
        Verdict::Rotate => {
            return Err(StoreError::Broken(
                "the rotation and its judgement disagree".to_owned(),
            ));
        }
    })
}

/// The hot path: one statement. Issued-at and idle expiry never go back, absolute expiry never moves.
static ROTATE: Statement = Statement::new(
    "rotation.rotate",
    "UPDATE families SET
       generation = generation + 1,
       jkt = CASE WHEN jkt IS NULL THEN $4 ELSE jkt END,
       issued_at = CASE WHEN issued_at > $3 THEN issued_at ELSE $3 END,
       idle_expires_at = CASE
         WHEN idle_expires_at >= $3 + idle_ms THEN idle_expires_at
         WHEN absolute_expires_at <= $3 + idle_ms THEN absolute_expires_at
         ELSE $3 + idle_ms END
     WHERE fam = $1 AND generation = $2 AND revoked_at IS NULL AND idle_expires_at > $3 AND absolute_expires_at > $3
     RETURNING generation, issued_at, idle_expires_at, jkt",
);

/// The same without a new generation: the token that was shown is the one that goes on.
static RENEW: Statement = Statement::new(
    "rotation.renew",
    "UPDATE families SET
       jkt = CASE WHEN jkt IS NULL THEN $4 ELSE jkt END,
       idle_expires_at = CASE
         WHEN idle_expires_at >= $3 + idle_ms THEN idle_expires_at
         WHEN absolute_expires_at <= $3 + idle_ms THEN absolute_expires_at
         ELSE $3 + idle_ms END
     WHERE fam = $1 AND generation = $2 AND revoked_at IS NULL AND idle_expires_at > $3 AND absolute_expires_at > $3
     RETURNING generation, issued_at, idle_expires_at, jkt",
);

pub(crate) static STATEMENTS: [&Statement; 2] = [&ROTATE, &RENEW];
