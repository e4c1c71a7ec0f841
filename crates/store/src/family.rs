//! Refresh families: one row per login, however often it is refreshed.
//!
//! Spec: RFC 6749 §6 · RFC 9700 §4.14.2

use carnet_oauth::revocation::RevocationKind;

use crate::audit::{self, NewAudit};
use crate::browser::{self, BrowserLogin, Place, Tie};
use crate::client;
use crate::cut::{Cut, Reason};
use crate::database::{Fields, Lane, Statement, Tx, params};
use crate::error::StoreError;
use crate::id::{self, Id};
use crate::revocation::{self, NewEntry};
use crate::session::{self, DAY_MS};
use crate::store::Store;
use crate::throttle;
use crate::ticket;
use crate::withdrawal;

/// All refresh tokens that one login leads to. Only the one of `generation` is live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// The primary key; never shown outside.
    pub id: Id,
    /// Its name in tokens: 22 random characters.
    pub fam: String,
    /// The session behind it.
    pub session: Id,
    /// The name of that session.
    pub sid: String,
    /// Whose it is.
    pub user: Id,
    /// The name of that user.
    pub sub: String,
    /// The client that it was granted to.
    pub client_id: String,
    /// What was granted.
    pub scope: String,
    /// The audience of its access tokens.
    pub audience: String,
    /// Which of its tokens is the live one, from 0.
    pub generation: i64,
    /// When that generation was issued; never goes back.
    pub issued_at: i64,
    /// The name of the key that MACs its tokens.
    pub mac_key: String,
    /// What goes into the MAC beside the name and the generation.
    pub salt: [u8; 16],
    /// How long it may rest.
    pub idle_ms: i64,
    /// When it dies unless it is refreshed.
    pub idle_expires_at: i64,
    /// When it dies in any case; never moves.
    pub absolute_expires_at: i64,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
    /// Why it was revoked.
    pub revoked_reason: Option<Reason>,
    /// The key that its tokens are bound to (RFC 9449 §5), by its thumbprint; never changes once it is there.
    pub jkt: Option<String>,
}

/// A login that was good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLogin {
    /// Who logged in.
    pub user: Id,
    /// When the password that was checked had last changed ([`LoginRecord`](crate::LoginRecord)); if it has
    /// changed since, nothing begins. `None`: no password was checked.
    pub password_changed_at: Option<i64>,
    /// The client.
    pub client_id: String,
    /// What is granted.
    pub scope: String,
    /// For which audience.
    pub audience: String,
    /// The browser session that it belongs to, and ends with. When that has ended, nothing begins.
    pub browser: Option<BrowserLogin>,
    /// The single claims that it was asked for, as the server writes them.
    pub claims: Option<String>,
    /// The redeemed authorization code that leads to it. When it was seen a second time, nothing begins.
    pub code: Option<String>,
    /// From where.
    pub address: String,
    /// With what.
    pub user_agent: String,
    /// The key that will MAC the family's tokens.
    pub mac_key: String,
    /// The client's own key that they are bound to, by its thumbprint (RFC 9449 §5).
    pub jkt: Option<String>,
    /// How long the family may rest.
    pub idle_ms: i64,
    /// How long it may live.
    pub absolute_ms: i64,
    /// Counters that a good login forgets.
    pub throttle_keys_to_clear: Vec<String>,
    /// The audit row; its session is filled in.
    pub audit: NewAudit,
}

impl Family {
    /// It lives no longer than this.
    fn end_by(&mut self, end: i64) {
        let end = whole_second(end);
        self.absolute_expires_at = self.absolute_expires_at.min(end);
        self.idle_expires_at = self.idle_expires_at.min(end);
    }
}

impl Store {
    /// Begin a session with its family, in one transaction.
    ///
    /// `None`: the user or the client is not active any more, the password is another than the one that was checked, or what the login
    /// stands on has ended.
    pub async fn begin_session(&self, login: &NewLogin, now: i64) -> Result<Option<Family>, StoreError> {
        let (login, family) = (login.clone(), planned(login, now)?);
        self.database
            .write(Lane::Main, "family.begin", async move |tx| {
                begin(tx, &login, family.clone(), now).await
            })
            .await
    }

    /// Revoke one family and its access tokens; `false` when there is none, or it was revoked already. The tokens die in any case.
    ///
    /// A session that has no other family ends with it.
    pub async fn revoke_family(&self, fam: &str, cut: &Cut) -> Result<bool, StoreError> {
        let (fam, cut) = (fam.to_owned(), cut.clone());
        self.database
            .write(Lane::Main, "family.revoke", async move |tx| {
                let Some(family) = lock_with_session(tx, &fam).await? else {
                    return Ok(false);
                };
                let Some(revoked_at) = family.revoked_at else {
                    revoke(tx, &family, &cut).await?;
                    return Ok(true);
                };
                // A logout may have left its access tokens; none was made since.
                let then = cut.as_of(revoked_at);
                let entry = NewEntry::of(RevocationKind::Fam, family.fam, &then);
                if revocation::add(tx, vec![entry], &cut).await? {
                    audit::append(tx, &cut.audit, cut.at).await?;
                }
                Ok(false)
            })
            .await
    }
}

/// Lock the family's row for the rest of the transaction, and read it.
pub(crate) async fn lock(tx: Tx<'_>, fam: &str) -> Result<Option<Family>, StoreError> {
    tx.optional(&LOCK, params![fam])
        .await?
        .map(|row| read(&mut row.fields()))
        .transpose()
}

/// Lock the row of its session, then the family's own: everybody takes them in this order.
pub(crate) async fn lock_with_session(tx: Tx<'_>, fam: &str) -> Result<Option<Family>, StoreError> {
    tx.execute(&LOCK_SESSION, params![fam]).await?;
    lock(tx, fam).await
}

/// Revoke a family that lives, locked with its session: its row, its access tokens, its session if nothing else holds it, audit.
pub(crate) async fn revoke(tx: Tx<'_>, family: &Family, cut: &Cut) -> Result<Family, StoreError> {
    tx.execute(&REVOKE, params![family.id, cut.at, cut.reason.as_str()])
        .await?;
    session::end_without_families(tx, family.session, cut).await?;
    let entry = NewEntry::of(RevocationKind::Fam, family.fam.clone(), cut);
    revocation::add(tx, vec![entry], cut).await?;
    audit::append(tx, &cut.audit, cut.at).await?;
    Ok(Family {
        revoked_at: Some(cut.at),
        revoked_reason: Some(cut.reason),
        ..family.clone()
    })
}

/// The columns of a family, in the order in which every statement names them.
pub(crate) fn read(row: &mut Fields) -> Result<Family, StoreError> {
    Ok(Family {
        id: row.take()?,
        fam: row.take()?,
        session: row.take()?,
        sid: row.take()?,
        user: row.take()?,
        sub: row.take()?,
        client_id: row.take()?,
        scope: row.take()?,
        audience: row.take()?,
        generation: row.take()?,
        issued_at: row.take()?,
        mac_key: row.take()?,
        salt: row.take()?,
        idle_ms: row.take()?,
        idle_expires_at: row.take()?,
        absolute_expires_at: row.take()?,
        revoked_at: row.take()?,
        revoked_reason: row
            .take::<Option<String>>()?
            .map(|word| Reason::read(&word))
            .transpose()?,
        jkt: row.take()?,
    })
}

/// The family as it will be, but for the name of the user, which the transaction reads.
fn planned(login: &NewLogin, now: i64) -> Result<Family, StoreError> {
    let absolute_expires_at = whole_second(now.saturating_add(login.absolute_ms));
    Ok(Family {
        id: Id::new(now)?,
        fam: id::random_name()?,
        session: Id::new(now)?,
        sid: id::random_name()?,
        user: login.user,
        sub: String::new(),
        client_id: login.client_id.clone(),
        scope: login.scope.clone(),
        audience: login.audience.clone(),
        generation: 0,
        issued_at: now,
        mac_key: login.mac_key.clone(),
        salt: id::random_bytes()?,
        idle_ms: login.idle_ms,
        idle_expires_at: now.saturating_add(login.idle_ms).min(absolute_expires_at),
        absolute_expires_at,
        revoked_at: None,
        revoked_reason: None,
        jkt: login.jkt.clone(),
    })
}

/// Tokens count in seconds, and none outlives its family: were there a fraction left at its end, a token of that moment would live for none.
fn whole_second(ms: i64) -> i64 {
    ms - ms.rem_euclid(1_000)
}

async fn begin(
    tx: Tx<'_>,
    login: &NewLogin,
    mut family: Family,
    now: i64,
) -> Result<Option<Family>, StoreError> {
    // The row is locked: a user who is disabled meanwhile waits for this session, and then ends it.
    let Some(sub) = browser::lock_user(tx, login.user, login.password_changed_at).await? else {
        return Ok(None);
    };
    family.sub = sub;
    let mut place = Place::default();
    if let Some(browser) = &login.browser {
        let Some(session) = browser::lock_live(tx, login.user, &browser.sid).await? else {
            return Ok(None);
        };
        if withdrawal::is_withdrawn(tx, login.user, &login.client_id, browser.allowed_at).await? {
            return Ok(None);
        }
        if browser.tie == Tie::EndsWithIt {
            family.end_by(session.created_at.saturating_add(browser.absolute_ms));
        }
        if family.absolute_expires_at <= now {
            return Ok(None);
        }
        place = Place::of(browser.tie, &session);
    }
    if !client::lock_active(tx, &login.client_id).await? {
        return Ok(None);
    }
    if let Some(code) = &login.code
        && !ticket::buy(tx, code, &family.fam).await?
    {
        return Ok(None);
    }
    insert(tx, login, &family, place).await?;
    throttle::clear(tx, &login.throttle_keys_to_clear).await?;
    let audit = NewAudit {
        session: family.sid.clone(),
        ..login.audit.clone()
    };
    audit::append(tx, &audit, now).await?;
    Ok(Some(family))
}

async fn insert(tx: Tx<'_>, login: &NewLogin, family: &Family, place: Place) -> Result<(), StoreError> {
    let now = family.issued_at;
    let auth_time = login.browser.as_ref().map_or(now, |browser| browser.auth_time);
    // The client is told when the browser's session ends, however long its own tokens live.
    let sweep_day = family
        .absolute_expires_at
        .div_euclid(DAY_MS)
        .max(place.kept_until_day);
    let session = params![
        family.session,
        &family.sid,
        family.user,
        &family.client_id,
        now,
        &login.address,
        &login.user_agent,
        auth_time,
        sweep_day,
        place.parent,
        place.began_in
    ];
    tx.execute(&INSERT_SESSION, session).await?;
    let row = params![
        family.id,
        &family.fam,
        family.session,
        &family.sid,
        family.user,
        &family.sub,
        &family.client_id,
        &family.scope,
        &family.audience,
        family.issued_at,
        &family.mac_key,
        family.salt,
        family.idle_ms,
        family.idle_expires_at,
        family.absolute_expires_at,
        sweep_day,
        login.claims.as_deref(),
        family.jkt.as_deref()
    ];
    tx.execute(&INSERT, row).await?;
    Ok(())
}

static INSERT_SESSION: Statement = Statement::new(
    "family.insert_session",
    "INSERT INTO sessions
       (id, sid, user_id, client_id, created_at, last_seen_at, address, user_agent, auth_time, sweep_day,
        parent_id, began_in)
     VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9, $10, $11)",
);

static INSERT: Statement = Statement::new(
    "family.insert",
    "INSERT INTO families
       (id, fam, session_id, sid, user_id, sub, client_id, scope, audience, generation, issued_at, mac_key, salt,
        idle_ms, idle_expires_at, absolute_expires_at, sweep_day, claims, jkt)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
);

static LOCK_SESSION: Statement = Statement::new(
    "family.lock_session",
    "UPDATE sessions SET last_seen_at = last_seen_at WHERE id = (SELECT session_id FROM families WHERE fam = $1)",
);

static LOCK: Statement = Statement::new(
    "family.lock",
    "UPDATE families SET generation = generation WHERE fam = $1
     RETURNING id, fam, session_id, sid, user_id, sub, client_id, scope, audience, generation, issued_at, mac_key,
               salt, idle_ms, idle_expires_at, absolute_expires_at, revoked_at, revoked_reason, jkt",
);

static REVOKE: Statement = Statement::new(
    "family.revoke",
    "UPDATE families SET revoked_at = $2, revoked_reason = $3 WHERE id = $1 AND revoked_at IS NULL",
);

pub(crate) static STATEMENTS: [&Statement; 5] = [&INSERT_SESSION, &INSERT, &LOCK_SESSION, &LOCK, &REVOKE];
