//! Revocation entries and their clock: what takes tokens back before they expire.
//!
//! Spec: RFC 7009 §2.1

use carnet_oauth::revocation::RevocationKind;
use tokio::sync::watch;

use crate::audit::NewAudit;
use crate::cut::Cut;
use crate::database::{Lane, Row, Statement, Tx, params};
use crate::error::StoreError;
use crate::id::random_name;
use crate::settings;
use crate::store::Store;
use crate::token_life;

/// Something that was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationEntry {
    /// Its place in the order of commits.
    pub cursor: i64,
    /// Which claim it is compared with.
    pub kind: RevocationKind,
    /// The value of that claim; `sub client_id` for [`RevocationKind::SubClient`].
    pub value: String,
    /// Only tokens with `iat` at or before this (seconds) are meant.
    pub issued_before: Option<i64>,
    /// When the last token that it can match has expired (milliseconds).
    pub expires: i64,
}

/// Where the order of commits stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationClock {
    /// Random; another one means that cursors of the old one say nothing.
    pub epoch: String,
    /// The newest cursor.
    pub last: i64,
    /// The settings epoch, read with it: it numbers the bundle of services.
    pub settings: i64,
}

/// What a token says of itself, as far as it can be taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenFacts {
    /// Its own id.
    pub jti: String,
    /// The session behind it.
    pub sid: Option<String>,
    /// The refresh family behind it.
    pub fam: Option<String>,
    /// Whose it is.
    pub sub: String,
    /// The client that it was made for.
    pub client_id: String,
    /// The key that signed it.
    pub kid: Option<String>,
    /// When it was made, in seconds.
    pub iat: i64,
}

/// An entry before it has its place.
#[derive(Clone, Debug)]
pub(crate) struct NewEntry {
    pub(crate) kind: RevocationKind,
    pub(crate) value: String,
    pub(crate) issued_before: Option<i64>,
    /// No token that it can match was made later (milliseconds).
    pub(crate) made_by: i64,
}

impl NewEntry {
    /// An entry that names one thing.
    pub(crate) fn of(kind: RevocationKind, value: String, cut: &Cut) -> Self {
        Self {
            kind,
            value,
            issued_before: None,
            made_by: cut.at,
        }
    }

    /// An entry for everything that was made before the second of the cut: the sessions of that second are named one by one, and a user
    /// may log in again in it.
    pub(crate) fn before_now(kind: RevocationKind, value: String, cut: &Cut) -> Self {
        Self {
            issued_before: Some(cut.at.div_euclid(1_000) - 1),
            ..Self::of(kind, value, cut)
        }
    }

    /// An entry for everything that was made at or before the cut.
    pub(crate) fn until_now(kind: RevocationKind, value: String, cut: &Cut) -> Self {
        Self {
            issued_before: Some(cut.at.div_euclid(1_000)),
            ..Self::of(kind, value, cut)
        }
    }
}

impl Store {
    /// Take back one token, by its `jti`.
    pub async fn revoke_token(&self, jti: &str, cut: &Cut) -> Result<(), StoreError> {
        let (jti, cut) = (jti.to_owned(), cut.clone());
        self.database
            .write(Lane::Main, "revocation.token", async move |tx| {
                let entry = NewEntry::of(RevocationKind::Jti, jti.clone(), &cut);
                add(tx, vec![entry], &cut).await?;
                crate::audit::append(tx, &cut.audit, cut.at).await
            })
            .await
    }

    /// Take back every token of a client, or of one user at a client, made at or before `cut.at`.
    pub async fn revoke_client(
        &self,
        client_id: &str,
        sub: Option<&str>,
        cut: &Cut,
    ) -> Result<(), StoreError> {
        let (kind, value) = match sub {
            None => (RevocationKind::Client, client_id.to_owned()),
            Some(sub) => (RevocationKind::SubClient, at_client(sub, client_id)),
        };
        let cut = cut.clone();
        self.database
            .write(Lane::Main, "revocation.client", async move |tx| {
                let entry = NewEntry::until_now(kind, value.clone(), &cut);
                add(tx, vec![entry], &cut).await?;
                crate::audit::append(tx, &cut.audit, cut.at).await
            })
            .await
    }

    /// Changes whenever this process has committed a revocation. What other processes write is found by [`Store::revocation_clock`].
    pub fn revocation_news(&self) -> watch::Receiver<()> {
        self.database.news()
    }

    /// Whether anything stored takes this token back.
    pub async fn is_revoked(&self, token: &TokenFacts) -> Result<bool, StoreError> {
        let row = self
            .database
            .read_one(
                &MATCH,
                params![
                    &token.jti,
                    token.sid.as_deref(),
                    token.fam.as_deref(),
                    token.kid.as_deref(),
                    &token.sub,
                    at_client(&token.sub, &token.client_id),
                    &token.client_id,
                    token.iat
                ],
            )
            .await?;
        Ok(row.is_some())
    }

    /// The entries behind a cursor, in the order of their commits.
    pub async fn revocations_since(
        &self,
        cursor: i64,
        limit: i64,
    ) -> Result<Vec<RevocationEntry>, StoreError> {
        let rows = self.database.read(&SINCE, params![cursor, limit]).await?;
        rows.into_iter().map(read).collect()
    }

    /// Where the order of commits stands.
    pub async fn revocation_clock(&self) -> Result<RevocationClock, StoreError> {
        let row = self
            .database
            .read_one(&CLOCK, params![])
            .await?
            .ok_or_else(stopped)?;
        let mut row = row.fields();
        Ok(RevocationClock {
            epoch: row.take()?,
            last: row.take()?,
            settings: row.take()?,
        })
    }

    /// After a restore from a backup: a new epoch, so that every consumer takes a fresh snapshot.
    pub async fn renew_revocation_epoch(&self, now: i64, audit: &NewAudit) -> Result<(), StoreError> {
        let (epoch, audit) = (random_name()?, audit.clone());
        self.database
            .write(Lane::Main, "revocation.renew", async move |tx| {
                tx.execute(&RENEW, params![&epoch]).await?;
                // The number of the bundle of services fell back as well.
                settings::leap(tx).await?;
                crate::audit::append(tx, &audit, now).await?;
                tx.has_news();
                Ok(())
            })
            .await
    }
}

/// Write entries and give them their cursors, in the transaction of the change that they report; whether any was new.
///
/// One row hands the cursors out, so whoever asks waits until the one before has committed: a reader never
/// sees a later cursor first. An entry that an existing one covers is left out, so that a revocation repeated
/// by its sender does not grow the table, and so is one that no token is left for.
pub(crate) async fn add(tx: Tx<'_>, entries: Vec<NewEntry>, cut: &Cut) -> Result<bool, StoreError> {
    let life = token_life::longest(tx, cut).await?;
    let mut fresh = Vec::with_capacity(entries.len());
    for entry in entries {
        let expires = entry.made_by.saturating_add(life);
        let known = params![entry.kind.as_str(), &entry.value, entry.issued_before, expires];
        if expires >= cut.at && tx.optional(&COVERED, known).await?.is_none() {
            fresh.push((entry, expires));
        }
    }
    let Ok(count) = i64::try_from(fresh.len()) else {
        return Ok(false);
    };
    if count == 0 {
        return Ok(false);
    }
    let last: i64 = tx
        .optional(&TICK, params![count])
        .await?
        .ok_or_else(stopped)?
        .fields()
        .take()?;
    for (cursor, (entry, expires)) in (last - count + 1..).zip(fresh) {
        let values = params![
            cursor,
            entry.kind.as_str(),
            entry.value,
            entry.issued_before,
            expires
        ];
        tx.execute(&INSERT, values).await?;
    }
    tx.has_news();
    Ok(true)
}

/// Take back every token of a client, in the transaction that takes the client down.
pub(crate) async fn cut_client(tx: Tx<'_>, client_id: &str, cut: &Cut) -> Result<(), StoreError> {
    let entry = NewEntry::until_now(RevocationKind::Client, client_id.to_owned(), cut);
    add(tx, vec![entry], cut).await?;
    Ok(())
}

/// The value of a `sub_client` entry. Neither part holds a space: a `sub` is base64url or a UUID.
pub(crate) fn at_client(sub: &str, client_id: &str) -> String {
    format!("{sub} {client_id}")
}

fn stopped() -> StoreError {
    StoreError::Broken("the revocation clock's row is missing".to_owned())
}

fn read(row: Row) -> Result<RevocationEntry, StoreError> {
    let mut row = row.fields();
    Ok(RevocationEntry {
        cursor: row.take()?,
        kind: RevocationKind::from_name(&row.take::<String>()?)
            .ok_or_else(|| StoreError::Broken("a revocation entry has an unknown kind".to_owned()))?,
        value: row.take()?,
        issued_before: row.take()?,
        expires: row.take()?,
    })
}

static TICK: Statement = Statement::new(
    "revocation.tick",
    "UPDATE revocation_clock SET last = last + $1 WHERE one = 1 RETURNING last",
);

static INSERT: Statement = Statement::new(
    "revocation.insert",
    "INSERT INTO revocations (cursor, kind, value, issued_before, expires) VALUES ($1, $2, $3, $4, $5)",
);

static COVERED: Statement = Statement::new(
    "revocation.covered",
    "SELECT cursor FROM revocations
     WHERE kind = $1 AND value = $2 AND expires >= $4
       AND (issued_before IS NULL OR issued_before >= $3) LIMIT 1",
);

static MATCH: Statement = Statement::new(
    "revocation.match",
    "SELECT cursor FROM revocations
     WHERE (kind = 'jti' AND value = $1)
        OR (kind = 'sid' AND value = $2)
        OR (kind = 'fam' AND value = $3)
        OR (kind = 'kid' AND value = $4)
        OR (kind = 'sub' AND value = $5 AND issued_before >= $8)
        OR (kind = 'sub_client' AND value = $6 AND issued_before >= $8)
        OR (kind = 'client' AND value = $7 AND issued_before >= $8)
     LIMIT 1",
);

static SINCE: Statement = Statement::new(
    "revocation.since",
    "SELECT cursor, kind, value, issued_before, expires FROM revocations
     WHERE cursor > $1 ORDER BY cursor LIMIT $2",
);

static CLOCK: Statement = Statement::new(
    "revocation.clock",
    "SELECT c.epoch, c.last, s.version FROM revocation_clock c CROSS JOIN settings s WHERE c.one = 1 AND s.one = 1",
);

static RENEW: Statement = Statement::new(
    "revocation.renew",
    "UPDATE revocation_clock SET epoch = $1 WHERE one = 1",
);

pub(crate) static STATEMENTS: [&Statement; 7] = [&TICK, &INSERT, &COVERED, &MATCH, &SINCE, &CLOCK, &RENEW];
