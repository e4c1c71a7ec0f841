//! Browser sessions: who is signed in at the pages of this server. Sessions of clients begin in them and end with them.
//!
//! Spec: OpenID Connect Core §3.1.2.3 (authentication), §2 (auth_time)

use crate::audit::{self, NewAudit};
use crate::credential;
use crate::cut::Cut;
use crate::database::{Lane, Statement, Tx, params};
use crate::error::StoreError;
use crate::id::{self, Id};
use crate::session::{self, DAY_MS, Strength};
use crate::store::Store;
use crate::throttle;
use crate::user::{self, User};

/// A login at the pages that was good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBrowserSession {
    /// Who logged in.
    pub user: Id,
    /// As in [`NewLogin`](crate::NewLogin).
    pub password_changed_at: Option<i64>,
    /// From where.
    pub address: String,
    /// With what.
    pub user_agent: String,
    /// The session that was signed in there before: it ends.
    pub replaces: Option<ReplacedSession>,
    /// How long it may live.
    pub absolute_ms: i64,
    /// Counters that a good login forgets.
    pub throttle_keys_to_clear: Vec<String>,
    /// The audit row; its session is filled in.
    pub audit: NewAudit,
}

/// The session whose place a login takes. What clients began in it goes on and ends with the new one, if that is the same user's; else it ends
/// as with a logout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplacedSession {
    /// Its name.
    pub sid: String,
    /// Whose it is.
    pub user: Id,
    /// How strongly it ends when it is somebody else's.
    pub strength: Strength,
    /// The same, with the audit row of that end.
    pub cut: Cut,
}

/// A signed-in browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrowserSession {
    /// Its name.
    pub sid: String,
    /// Who is signed in, as they are now.
    pub user: User,
    /// When they proved it.
    pub auth_time: i64,
    /// When the session began.
    pub created_at: i64,
    /// When it was last used; `created_at` as long as nobody has come in its name.
    pub last_seen_at: i64,
}

/// A browser session that has not ended, locked.
pub(crate) struct Live {
    pub(crate) id: Id,
    pub(crate) sid: String,
    pub(crate) created_at: i64,
    /// The day after which it is forgotten.
    pub(crate) sweep_day: i64,
}

/// The login in a browser that a client's session stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrowserLogin {
    /// The `sid` of the browser's session.
    pub sid: String,
    /// When the user proved who they are.
    pub auth_time: i64,
    /// When the user let the client: what was withdrawn since lets nothing begin.
    pub allowed_at: i64,
    /// How long the browser's session may live.
    pub absolute_ms: i64,
    /// What the end of the browser's session is to the client's.
    pub tie: Tie,
}

/// What the end of a browser's session is to a client's session that began in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// It ends as well.
    EndsWithIt,
    /// It goes on, and the client is told (`offline_access`).
    HearsOfIt,
    /// It is nothing to it: the client runs elsewhere, on a device of its own.
    Apart,
}

/// Where in a browser a client's session stands.
#[derive(Clone, Copy, Default)]
pub(crate) struct Place {
    pub(crate) began_in: Option<Id>,
    pub(crate) parent: Option<Id>,
    /// The day after which nobody has to be told any more.
    pub(crate) kept_until_day: i64,
}

impl Place {
    pub(crate) fn of(tie: Tie, session: &Live) -> Self {
        let began_in = (tie != Tie::Apart).then_some(session.id);
        Self {
            began_in,
            parent: began_in.filter(|_| tie == Tie::EndsWithIt),
            kept_until_day: began_in.map_or(0, |_| session.sweep_day),
        }
    }
}

impl Store {
    /// Begin a browser session; its `sid`. `None`: the user is not active any more, or has another password than the one that was
    /// checked.
    pub async fn begin_browser_session(
        &self,
        new: &NewBrowserSession,
        now: i64,
    ) -> Result<Option<String>, StoreError> {
        let (id, sid, new) = (Id::new(now)?, id::random_name()?, new.clone());
        self.database
            .write(Lane::Main, "browser.begin", async move |tx| {
                if lock_user(tx, new.user, new.password_changed_at).await?.is_none() {
                    return Ok(None);
                }
                let sweep_day = now.saturating_add(new.absolute_ms).div_euclid(DAY_MS);
                let row = params![id, &sid, new.user, now, &new.address, &new.user_agent, sweep_day];
                tx.execute(&INSERT, row).await?;
                throttle::clear(tx, &new.throttle_keys_to_clear).await?;
                if let Some(old) = &new.replaces {
                    replace(tx, old, (id, new.user), (now, sweep_day)).await?;
                }
                let audit = NewAudit {
                    session: sid.clone(),
                    ..new.audit.clone()
                };
                audit::append(tx, &audit, now).await?;
                Ok(Some(sid.clone()))
            })
            .await
    }

    /// The browser session of this `sid`, as long as it has not ended.
    pub async fn browser_session(&self, sid: &str) -> Result<Option<BrowserSession>, StoreError> {
        let row = self.database.read_one(&BY_SID, params![sid]).await?;
        row.map(|row| {
            let mut row = row.fields();
            Ok(BrowserSession {
                user: user::read_fields(&mut row)?,
                sid: row.take()?,
                auth_time: row.take()?,
                created_at: row.take()?,
                last_seen_at: row.take()?,
            })
        })
        .transpose()
    }

    /// The one that lives in the place of this ended one, and in whose name nobody has come yet: a new login of the same user in that browser began
    /// it, and the browser may not know. To whoever comes with an old name, the one that is in use is nothing (CK-02).
    pub async fn browser_session_after(&self, sid: &str) -> Result<Option<BrowserSession>, StoreError> {
        let mut sid = sid.to_owned();
        // Each is younger than the one before.
        while let Some(row) = self.database.read_one(&UNSEEN_SUCCESSOR, params![&sid]).await? {
            sid = row.fields().take()?;
            if let Some(session) = self.browser_session(&sid).await? {
                return Ok(Some(session));
            }
        }
        Ok(None)
    }

    /// The session is in use.
    pub async fn touch_browser_session(&self, sid: &str, now: i64) -> Result<(), StoreError> {
        let row = params![sid, now];
        self.database
            .write(Lane::Main, "browser.touch", async move |tx| {
                tx.execute(&TOUCH, row.clone()).await.map(|_| ())
            })
            .await
    }
}

/// Whoever signs in as somebody else has signed the one before out: nobody could reach what that one's browser session holds together.
async fn replace(
    tx: Tx<'_>,
    old: &ReplacedSession,
    (id, user): (Id, Id),
    (now, sweep_day): (i64, i64),
) -> Result<(), StoreError> {
    // Or the one that another login of theirs has put in its place meanwhile.
    let Some(live) = lock_live(tx, old.user, &old.sid).await? else {
        return Ok(());
    };
    if old.user == user {
        tx.execute(&ADOPT, params![id, live.id]).await?;
        tx.execute(&ADOPT_GUESTS, params![id, live.id]).await?;
        tx.execute(&KEEP_GUESTS, params![id, sweep_day]).await?;
        tx.execute(&REPLACE, params![id, live.id, now]).await?;
    } else {
        session::end_one(tx, (live.id, live.sid), old.strength, &old.cut).await?;
        audit::append(tx, &old.cut.audit, old.cut.at).await?;
    }
    Ok(())
}

/// Lock an active user for the rest of the transaction: their `sub`. A user who is disabled meanwhile waits for what begins here, and
/// then ends it. `None` also when the password has changed since it was checked.
pub(crate) async fn lock_user(
    tx: Tx<'_>,
    user: Id,
    password_changed_at: Option<i64>,
) -> Result<Option<String>, StoreError> {
    let Some(row) = tx.optional(&LOCK_ACTIVE_USER, params![user]).await? else {
        return Ok(None);
    };
    if let Some(changed_at) = password_changed_at
        && !credential::is_unchanged(tx, user, changed_at).await?
    {
        return Ok(None);
    }
    row.fields().take().map(Some)
}

/// Lock a browser session of this user that has not ended, or the one that a new login of theirs in that browser has put in its place: what was
/// allowed a moment before begins all the same.
pub(crate) async fn lock_live(tx: Tx<'_>, user: Id, sid: &str) -> Result<Option<Live>, StoreError> {
    let mut sid = sid.to_owned();
    loop {
        if let Some(row) = tx.optional(&LOCK_LIVE, params![user, &sid]).await? {
            let mut row = row.fields();
            return Ok(Some(Live {
                id: row.take()?,
                sid,
                created_at: row.take()?,
                sweep_day: row.take()?,
            }));
        }
        // Each is younger than the one before.
        let Some(row) = tx.optional(&SUCCESSOR, params![&sid]).await? else {
            return Ok(None);
        };
        sid = row.fields().take()?;
    }
}

static LOCK_ACTIVE_USER: Statement = Statement::new(
    "browser.lock_active_user",
    "UPDATE users SET updated_at = updated_at WHERE id = $1 AND state = 'active' RETURNING sub",
);

static LOCK_LIVE: Statement = Statement::new(
    "browser.lock_live",
    "UPDATE sessions SET last_seen_at = last_seen_at WHERE user_id = $1 AND sid = $2 AND ended_at IS NULL
     RETURNING id, created_at, sweep_day",
);

/// The client of a browser session is nobody.
static INSERT: Statement = Statement::new(
    "browser.insert",
    "INSERT INTO sessions
       (id, sid, user_id, client_id, created_at, last_seen_at, address, user_agent, auth_time, sweep_day)
     VALUES ($1, $2, $3, '', $4, $4, $5, $6, $4, $7)",
);

static ADOPT: Statement = Statement::new(
    "browser.adopt",
    "UPDATE sessions SET parent_id = $1 WHERE parent_id = $2 AND client_id <> ''",
);

/// Also what outlives it is told of its end.
static ADOPT_GUESTS: Statement = Statement::new(
    "browser.adopt_guests",
    "UPDATE sessions SET began_in = $1 WHERE began_in = $2",
);

/// What a client is told by stays as long as there can be something to tell. A session stays with its families.
static KEEP_GUESTS: Statement = Statement::new(
    "browser.keep_guests",
    "UPDATE families SET sweep_day = $2
     WHERE sweep_day < $2 AND session_id IN (SELECT s.id FROM sessions s WHERE s.began_in = $1)",
);

static REPLACE: Statement = Statement::new(
    "browser.replace",
    "UPDATE sessions SET parent_id = $1, ended_at = $3 WHERE id = $2",
);

static SUCCESSOR: Statement = Statement::new(
    "browser.successor",
    "SELECT next.sid FROM sessions s JOIN sessions next ON next.id = s.parent_id
     WHERE s.sid = $1 AND s.client_id = '' AND s.ended_at IS NOT NULL AND next.user_id = s.user_id",
);

static UNSEEN_SUCCESSOR: Statement = Statement::new(
    "browser.unseen_successor",
    "SELECT next.sid FROM sessions s JOIN sessions next ON next.id = s.parent_id
     WHERE s.sid = $1 AND s.client_id = '' AND s.ended_at IS NOT NULL AND next.user_id = s.user_id
       AND next.last_seen_at = next.created_at",
);

static BY_SID: Statement = Statement::new(
    "browser.by_sid",
    "SELECT u.id, u.sub, u.state, u.name, u.claims, u.attributes, u.created_at, u.updated_at, i.display, i.verified,
            s.sid, s.auth_time, s.created_at, s.last_seen_at
     FROM sessions s
     JOIN users u ON u.id = s.user_id
     LEFT JOIN identifiers i ON i.user_id = u.id AND i.kind = 'email'
     WHERE s.sid = $1 AND s.client_id = '' AND s.ended_at IS NULL",
);

static TOUCH: Statement = Statement::new(
    "browser.touch",
    "UPDATE sessions SET last_seen_at = $2 WHERE sid = $1 AND last_seen_at < $2",
);

pub(crate) static STATEMENTS: [&Statement; 11] = [
    &LOCK_ACTIVE_USER,
    &LOCK_LIVE,
    &INSERT,
    &ADOPT,
    &ADOPT_GUESTS,
    &KEEP_GUESTS,
    &REPLACE,
    &SUCCESSOR,
    &UNSEEN_SUCCESSOR,
    &BY_SID,
    &TOUCH,
];
