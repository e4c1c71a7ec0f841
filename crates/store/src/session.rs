//! Sessions: a signed-in browser or device.

use std::collections::HashSet;

use carnet_oauth::revocation::RevocationKind;

use crate::audit;
use crate::cut::{Cut, Reason};
use crate::database::{Fields, Lane, Statement, Tx, params};
use crate::ended_session as ended;
use crate::error::StoreError;
use crate::id::Id;
use crate::logout_notice;
use crate::revocation::{self, NewEntry};
use crate::store::Store;
use crate::token_life;

/// A signed-in browser or device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The primary key; never shown outside.
    pub id: Id,
    /// Its name in tokens: 22 random characters.
    pub sid: String,
    /// Whose it is.
    pub user: Id,
    /// The client that began it.
    pub client_id: String,
    /// When it began.
    pub created_at: i64,
    /// When it was last heard of: its beginning, or the newest refresh.
    pub last_seen_at: i64,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// From where it began.
    pub address: String,
    /// What began it.
    pub user_agent: String,
    /// When the user last proved who they are.
    pub auth_time: i64,
}

/// How strongly a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// Its refresh families die; its access tokens live until they expire.
    RefreshOnly,
    /// Its access tokens die at once as well.
    DenyList,
}

/// Whether a session ended when it was told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It did.
    Now,
    /// It had ended. What lives on of it is taken back all the same, where that was asked for.
    Before,
    /// There is none of this `sid`.
    Unknown,
}

/// A session that is to end, locked.
struct Ending {
    id: Id,
    sid: String,
    /// When it did: nothing of it was made later.
    ended_at: Option<i64>,
}

impl Store {
    /// The session of this `sid`, ended or not.
    pub async fn session(&self, sid: &str) -> Result<Option<Session>, StoreError> {
        let row = self.database.read_one(&BY_SID, params![sid]).await?;
        row.map(|row| read(&mut row.fields())).transpose()
    }

    /// End one session.
    ///
    /// `jti` is the access token that asked for it: it is revoked by name too, for those who know only `jti`s.
    /// A session that ended as [`Strength::RefreshOnly`] can still be put on the deny-list, with what began in it.
    pub async fn end_session(
        &self,
        sid: &str,
        strength: Strength,
        jti: Option<&str>,
        cut: &Cut,
    ) -> Result<Ended, StoreError> {
        let (sid, jti, cut) = (sid.to_owned(), jti.map(str::to_owned), cut.clone());
        self.database
            .write(Lane::Main, "session.end", async move |tx| {
                let Some(row) = tx.optional(&LOCK, params![&sid]).await? else {
                    return Ok(Ended::Unknown);
                };
                let mut row = row.fields();
                let session = Ending {
                    id: row.take()?,
                    sid: sid.clone(),
                    ended_at: row.take()?,
                };
                let as_of = cut.as_of(session.ended_at.unwrap_or(cut.at));
                let (ended, mut taken_back) = end(tx, vec![session], strength, &cut).await?;
                if strength == Strength::DenyList
                    && let Some(jti) = jti.clone()
                {
                    let entry = NewEntry::of(RevocationKind::Jti, jti, &as_of);
                    taken_back |= revocation::add(tx, vec![entry], &cut).await?;
                }
                if ended == 1 || taken_back {
                    audit::append(tx, &cut.audit, cut.at).await?;
                }
                Ok(match ended {
                    0 => Ended::Before,
                    _ => Ended::Now,
                })
            })
            .await
    }

    /// End every session of a user and take back all of their tokens, those of sessions that ended before as well; how many ended.
    pub async fn revoke_user(&self, (user, sub): (Id, &str), cut: &Cut) -> Result<u64, StoreError> {
        let (sub, cut) = (sub.to_owned(), cut.clone());
        self.database
            .write(Lane::Main, "session.revoke_user", async move |tx| {
                let ended = end_all(tx, user, None, Strength::DenyList, &cut).await?;
                ended::take_back_a_moment_ago(tx, user, None, &cut).await?;
                let entry = NewEntry::before_now(RevocationKind::Sub, sub.clone(), &cut);
                revocation::add(tx, vec![entry], &cut).await?;
                audit::append(tx, &cut.audit, cut.at).await?;
                Ok(ended)
            })
            .await
    }

    /// End every session of a user, but for the `sid` in `except`; how many ended.
    pub async fn end_sessions_of(
        &self,
        user: Id,
        strength: Strength,
        except: Option<&str>,
        cut: &Cut,
    ) -> Result<u64, StoreError> {
        let (except, cut) = (except.map(str::to_owned), cut.clone());
        self.database
            .write(Lane::Main, "session.end_all", async move |tx| {
                let ended = end_all(tx, user, except.as_deref(), strength, &cut).await?;
                audit::append(tx, &cut.audit, cut.at).await?;
                Ok(ended)
            })
            .await
    }
}

/// End every session of the user but one. Each is named by its own `sid` and `fam`s, never by a time: a login in
/// the same second lives.
pub(crate) async fn end_all(
    tx: Tx<'_>,
    user: Id,
    except: Option<&str>,
    strength: Strength,
    cut: &Cut,
) -> Result<u64, StoreError> {
    lock_user(tx, user).await?;
    let mut all = Vec::new();
    for row in tx.all(&LOCK_OF_USER, params![user]).await? {
        let mut row = row.fields();
        let (session, sid, parent): (Id, String, Option<Id>) = (row.take()?, row.take()?, row.take()?);
        all.push((session, sid, parent));
    }
    let kept = all.iter().find(|(_, sid, _)| Some(sid.as_str()) == except);
    let kept = kept.map(|(session, ..)| *session);
    let goes = all.into_iter().filter(|(session, _, parent)| {
        // What began in a browser lives and ends with it.
        !kept.is_some_and(|kept| kept == *session || Some(kept) == *parent)
    });
    let goes = goes.map(|(session, sid, _)| Ending::of_a_live(session, sid));
    let (ended, _) = end(tx, goes.collect(), strength, cut).await?;
    Ok(ended)
}

/// End every session of a client with this user, who is locked.
pub(crate) async fn end_all_at(tx: Tx<'_>, user: Id, client_id: &str, cut: &Cut) -> Result<u64, StoreError> {
    let mut all = Vec::new();
    for row in tx.all(&LOCK_AT_CLIENT, params![user, client_id]).await? {
        let mut row = row.fields();
        all.push(Ending::of_a_live(row.take()?, row.take()?));
    }
    let (ended, _) = end(tx, all, Strength::DenyList, cut).await?;
    Ok(ended)
}

/// End one session that goes on and is locked.
pub(crate) async fn end_one(
    tx: Tx<'_>,
    (session, sid): (Id, String),
    strength: Strength,
    cut: &Cut,
) -> Result<(), StoreError> {
    let one = vec![Ending::of_a_live(session, sid)];
    end(tx, one, strength, cut).await.map(|_| ())
}

/// The user's row is the gate that a beginning session takes too: none slips in between.
pub(crate) async fn lock_user(tx: Tx<'_>, user: Id) -> Result<(), StoreError> {
    tx.execute(&LOCK_USER, params![user]).await.map(|_| ())
}

impl Ending {
    const fn of_a_live(id: Id, sid: String) -> Self {
        Self {
            id,
            sid,
            ended_at: None,
        }
    }
}

/// End sessions with their families; how many were still going on, what began in them not counted, and whether any token was taken back.
///
/// Rows are taken in one order by everybody: sessions, then notices, then families, then the revocation clock.
async fn end(
    tx: Tx<'_>,
    sessions: Vec<Ending>,
    strength: Strength,
    cut: &Cut,
) -> Result<(u64, bool), StoreError> {
    let mut all = sessions;
    let (told, mut own, mut ended) = (all.len(), 0, Vec::new());
    let mut known: HashSet<Id> = all.iter().map(|session| session.id).collect();
    // What began in a browser session ends with it.
    let long_ago = cut.at.saturating_sub(token_life::longest(tx, cut).await?);
    let mut next = 0;
    while let Some(session) = all.get(next) {
        if tx.execute(&END, params![session.id, cut.at]).await? == 1 {
            own += u64::from(next < told);
            ended.push(session.id);
        }
        for row in tx.all(&CHILDREN, params![session.id, long_ago]).await? {
            let mut row = row.fields();
            let child = Ending {
                id: row.take()?,
                sid: row.take()?,
                ended_at: row.take()?,
            };
            // It may have been told by name as well.
            if known.insert(child.id) {
                all.push(child);
            }
        }
        next += 1;
    }
    for session in ended {
        logout_notice::note(tx, session, cut.at).await?;
    }
    for session in &all {
        tx.execute(&REVOKE_FAMILIES, params![session.id, cut.at, cut.reason.as_str()])
            .await?;
    }
    let taken_back = strength == Strength::DenyList && take_back(tx, all, cut).await?;
    Ok((own, taken_back))
}

/// What a session left when it ended dies as of its end: to say it twice says nothing new.
async fn take_back(tx: Tx<'_>, sessions: Vec<Ending>, cut: &Cut) -> Result<bool, StoreError> {
    let mut entries = Vec::new();
    for session in sessions {
        let end = cut.as_of(session.ended_at.unwrap_or(cut.at));
        entries.push(NewEntry::of(RevocationKind::Sid, session.sid, &end));
        for row in tx.all(&FAMILIES, params![session.id]).await? {
            entries.push(NewEntry::of(RevocationKind::Fam, row.fields().take()?, &end));
        }
    }
    revocation::add(tx, entries, cut).await
}

/// End the session unless one of its families still lives. The client hears of it when it was not the client that ended it.
///
/// A client that gives its refresh token back may have a session of its own all the same: of one that began in a browser, it is
/// told when that browser's session ends, as it would be had the token expired.
pub(crate) async fn end_without_families(tx: Tx<'_>, session: Id, cut: &Cut) -> Result<(), StoreError> {
    let stolen = cut.reason == Reason::Reuse;
    let row = params![session, cut.at, stolen];
    if tx.execute(&END_WITHOUT_FAMILIES, row).await? == 1 && stolen {
        logout_notice::note(tx, session, cut.at).await?;
    }
    Ok(())
}

fn read(row: &mut Fields) -> Result<Session, StoreError> {
    Ok(Session {
        id: row.take()?,
        sid: row.take()?,
        user: row.take()?,
        client_id: row.take()?,
        created_at: row.take()?,
        ended_at: row.take()?,
        address: row.take()?,
        user_agent: row.take()?,
        auth_time: row.take()?,
        last_seen_at: row.take()?,
    })
}

/// What a `sweep_day` counts.
pub(crate) const DAY_MS: i64 = 86_400_000;

static BY_SID: Statement = Statement::new(
    "session.by_sid",
    "SELECT s.id, s.sid, s.user_id, s.client_id, s.created_at, s.ended_at, s.address, s.user_agent, s.auth_time,
            COALESCE((SELECT MAX(CASE WHEN f.issued_at > f.idle_expires_at - f.idle_ms THEN f.issued_at
                                      ELSE f.idle_expires_at - f.idle_ms END)
                      FROM families f WHERE f.session_id = s.id), s.last_seen_at)
              AS last_seen_at
     FROM sessions s WHERE s.sid = $1",
);

static LOCK: Statement = Statement::new(
    "session.lock",
    "UPDATE sessions SET last_seen_at = last_seen_at WHERE sid = $1 RETURNING id, ended_at",
);

static LOCK_USER: Statement = Statement::new(
    "session.lock_user",
    "UPDATE users SET updated_at = updated_at WHERE id = $1",
);

static LOCK_OF_USER: Statement = Statement::new(
    "session.lock_of_user",
    "UPDATE sessions SET last_seen_at = last_seen_at WHERE user_id = $1 AND ended_at IS NULL
     RETURNING id, sid, parent_id",
);

static LOCK_AT_CLIENT: Statement = Statement::new(
    "session.lock_at_client",
    "UPDATE sessions SET last_seen_at = last_seen_at WHERE user_id = $1 AND client_id = $2 AND ended_at IS NULL
     RETURNING id, sid",
);

static CHILDREN: Statement = Statement::new(
    "session.children",
    "SELECT id, sid, ended_at FROM sessions
     WHERE parent_id = $1 AND (ended_at IS NULL OR client_id <> '' AND ended_at > $2) ORDER BY id",
);

static END: Statement = Statement::new(
    "session.end",
    "UPDATE sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL",
);

static END_WITHOUT_FAMILIES: Statement = Statement::new(
    "session.end_without_families",
    "UPDATE sessions SET ended_at = $2 WHERE id = $1 AND client_id <> '' AND ended_at IS NULL
       AND NOT EXISTS (SELECT f.id FROM families f WHERE f.session_id = sessions.id AND f.revoked_at IS NULL)
       AND (CAST($3 AS BOOLEAN)
         OR NOT EXISTS (SELECT b.id FROM sessions b WHERE b.id = sessions.began_in AND b.ended_at IS NULL))",
);

static REVOKE_FAMILIES: Statement = Statement::new(
    "session.revoke_families",
    "UPDATE families SET revoked_at = $2, revoked_reason = $3 WHERE session_id = $1 AND revoked_at IS NULL",
);

static FAMILIES: Statement = Statement::new(
    "session.families",
    "SELECT fam FROM families WHERE session_id = $1 ORDER BY id",
);

pub(crate) static STATEMENTS: [&Statement; 10] = [
    &CHILDREN,
    &BY_SID,
    &LOCK,
    &LOCK_USER,
    &LOCK_OF_USER,
    &LOCK_AT_CLIENT,
    &END,
    &END_WITHOUT_FAMILIES,
    &REVOKE_FAMILIES,
    &FAMILIES,
];
