//! Users and the names they log in by.

use carnet_oauth::revocation::RevocationKind;

use crate::audit;
use crate::credential;
use crate::cut::Cut;
use crate::database::{Fields, Lane, Statement, Tx, params};
use crate::ended_session;
use crate::error::StoreError;
use crate::id::Id;
use crate::names::closed_enum;
use crate::revocation::{self, NewEntry};
use crate::role;
use crate::session::{self, Strength};
use crate::store::Store;

closed_enum! {
    /// Whether a user may log in.
    pub enum UserState {
        /// May log in.
        Active = "active",
        /// May not log in; everything is kept.
        Disabled = "disabled",
        /// A tombstone: the `sub` never comes back.
        Deleted = "deleted",
    }
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The primary key; never shown outside.
    pub id: Id,
    /// The name of the user in tokens: 22 random characters, never reused.
    pub sub: String,
    /// The e-mail address as it was typed; empty when deleted.
    pub email: String,
    /// Whether the user may log in.
    pub state: UserState,
    /// The name to show.
    pub name: Option<String>,
    /// Whether the address was proven to belong to the user.
    pub email_verified: bool,
    /// Further standard OpenID Connect claims, as JSON text.
    pub claims: String,
    /// The deployment's own attributes, as JSON text; never queried.
    pub attributes: String,
    /// When the user was made.
    pub created_at: i64,
    /// When the user last changed.
    pub updated_at: i64,
}

/// A user to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// The random `sub`; empty lets the store make one.
    pub sub: String,
    /// The address as typed.
    pub email_display: String,
    /// The address as compared: NFC, case-folded. Unique.
    pub email_canonical: String,
    /// The name to show.
    pub name: Option<String>,
    /// A password hash (PHC or modular crypt text), never a password.
    pub password_hash: Option<String>,
    /// Roles to give; each must exist.
    pub roles: Vec<String>,
    /// Whether the address is proven.
    pub email_verified: bool,
    /// JSON text of further standard claims.
    pub claims: String,
    /// JSON text of attributes.
    pub attributes: String,
}

/// What a login needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginRecord {
    /// Who it is.
    pub user: User,
    /// What the password is checked against.
    pub password_hash: Option<String>,
    /// When the password last changed: give it to `begin_session`, so that a password changed meanwhile
    /// lets no session begin.
    pub password_changed_at: Option<i64>,
}

impl Store {
    /// Make a user. [`StoreError::Conflict`]: `email_taken`, `sub_taken`, `role_unknown`.
    pub async fn create_user(&self, new: &NewUser, now: i64) -> Result<User, StoreError> {
        let mut new = new.clone();
        if new.sub.is_empty() {
            new.sub = crate::id::random_name()?;
        }
        let id = Id::new(now)?;
        self.database
            .write(Lane::Main, "user.create", async move |tx| {
                create(tx, id, &new, now).await
            })
            .await
    }

    /// The user behind a canonical e-mail address, with what a login checks.
    pub async fn find_login(&self, canonical: &str) -> Result<Option<LoginRecord>, StoreError> {
        let row = self.database.read_one(&FIND_LOGIN, params![canonical]).await?;
        row.map(|row| {
            let mut row = row.fields();
            let user = read_fields(&mut row)?;
            Ok(LoginRecord {
                user,
                password_hash: row.take()?,
                password_changed_at: row.take()?,
            })
        })
        .transpose()
    }

    /// The user of this `sub`, deleted ones included.
    pub async fn user_by_sub(&self, sub: &str) -> Result<Option<User>, StoreError> {
        let row = self.database.read_one(&BY_SUB, params![sub]).await?;
        row.map(|row| read_fields(&mut row.fields())).transpose()
    }

    /// Users in the order they were made, starting behind the one named `after`.
    pub async fn list_users(&self, after: Option<&str>, limit: i64) -> Result<Vec<User>, StoreError> {
        let rows = match after {
            None => self.database.read(&LIST, params![limit]).await?,
            Some(sub) => self.database.read(&LIST_AFTER, params![sub, limit]).await?,
        };
        rows.into_iter()
            .map(|row| read_fields(&mut row.fields()))
            .collect()
    }

    /// Enable, disable or delete a user; `false` when there is no such user.
    ///
    /// Disabling and deleting take everything along in one transaction: sessions, families, revocation
    /// entries, audit. [`StoreError::Conflict`]: `user_deleted` when a tombstone should come back.
    pub async fn set_user_state(&self, sub: &str, state: UserState, cut: &Cut) -> Result<bool, StoreError> {
        let (sub, cut) = (sub.to_owned(), cut.clone());
        self.database
            .write(Lane::Main, "user.set_state", async move |tx| {
                if !change_state(tx, &sub, state, &cut).await? {
                    return Ok(false);
                }
                audit::append(tx, &cut.audit, cut.at).await?;
                Ok(true)
            })
            .await
    }
}

/// Enable, disable or delete a user with all that follows, but for the audit row; `false` when there is no such user.
pub(crate) async fn change_state(
    tx: Tx<'_>,
    sub: &str,
    state: UserState,
    cut: &Cut,
) -> Result<bool, StoreError> {
    let changed = tx
        .optional(&SET_STATE, params![sub, state.as_str(), cut.at])
        .await?;
    let Some(user) = changed else {
        let known = tx.optional(&BY_SUB, params![sub]).await?.is_some();
        return if known {
            Err(StoreError::Conflict("user_deleted"))
        } else {
            Ok(false)
        };
    };
    let user: Id = user.fields().take()?;
    if state == UserState::Deleted {
        // Rows of sessions before the revocation clock, as everywhere.
        forget(tx, user).await?;
    }
    if state != UserState::Active {
        take_down(tx, user, sub, cut).await?;
    }
    Ok(true)
}

/// Make a user in the transaction of something larger.
pub(crate) async fn create(tx: Tx<'_>, id: Id, new: &NewUser, now: i64) -> Result<User, StoreError> {
    let row = tx
        .optional(
            &INSERT,
            params![
                id,
                &new.sub,
                new.name.as_deref(),
                &new.claims,
                &new.attributes,
                now
            ],
        )
        .await?;
    if row.is_none() {
        return Err(StoreError::Conflict("sub_taken"));
    }
    let identifier = params![
        Id::new(now)?,
        &new.email_canonical,
        &new.email_display,
        id,
        new.email_verified,
        now
    ];
    if tx.optional(&INSERT_IDENTIFIER, identifier).await?.is_none() {
        return Err(StoreError::Conflict("email_taken"));
    }
    if let Some(hash) = &new.password_hash {
        credential::put_password(tx, id, hash, now).await?;
    }
    for name in &new.roles {
        role::give(tx, id, name).await?;
    }
    Ok(User {
        id,
        sub: new.sub.clone(),
        email: new.email_display.clone(),
        state: UserState::Active,
        name: new.name.clone(),
        email_verified: new.email_verified,
        claims: new.claims.clone(),
        attributes: new.attributes.clone(),
        created_at: now,
        updated_at: now,
    })
}

/// Everything that still speaks for the user dies: sessions, families and, by `sub`, every access token.
async fn take_down(tx: Tx<'_>, user: Id, sub: &str, cut: &Cut) -> Result<(), StoreError> {
    session::end_all(tx, user, None, Strength::DenyList, cut).await?;
    ended_session::take_back_a_moment_ago(tx, user, None, cut).await?;
    // What lives on of sessions that ended before dies by its age.
    let entry = NewEntry::before_now(RevocationKind::Sub, sub.to_owned(), cut);
    revocation::add(tx, vec![entry], cut).await?;
    Ok(())
}

/// What is personal goes; the row stays, so that the `sub` is never given again.
async fn forget(tx: Tx<'_>, user: Id) -> Result<(), StoreError> {
    for statement in [
        &FORGET_IDENTIFIERS,
        &FORGET_CREDENTIALS,
        &FORGET_ROLES,
        &FORGET_CLAIMS,
        &FORGET_SESSIONS,
        &FORGET_GRANTS,
        &FORGET_WITHDRAWALS,
    ] {
        tx.execute(statement, params![user]).await?;
    }
    Ok(())
}

/// The columns of a user, in the order in which every statement names them.
pub(crate) fn read_fields(row: &mut Fields) -> Result<User, StoreError> {
    Ok(User {
        id: row.take()?,
        sub: row.take()?,
        state: UserState::read(&row.take::<String>()?)?,
        name: row.take()?,
        claims: row.take()?,
        attributes: row.take()?,
        created_at: row.take()?,
        updated_at: row.take()?,
        email: row.take::<Option<String>>()?.unwrap_or_default(),
        email_verified: row.take::<Option<bool>>()?.unwrap_or_default(),
    })
}

static INSERT: Statement = Statement::new(
    "user.insert",
    "INSERT INTO users (id, sub, state, name, claims, attributes, created_at, updated_at)
     VALUES ($1, $2, 'active', $3, $4, $5, $6, $6)
     ON CONFLICT (sub) DO NOTHING RETURNING id",
);

static INSERT_IDENTIFIER: Statement = Statement::new(
    "user.insert_identifier",
    "INSERT INTO identifiers (id, kind, canonical, display, user_id, verified, created_at)
     VALUES ($1, 'email', $2, $3, $4, $5, $6)
     ON CONFLICT (kind, canonical) DO NOTHING RETURNING user_id",
);

static FIND_LOGIN: Statement = Statement::new(
    "user.find_login",
    "SELECT u.id, u.sub, u.state, u.name, u.claims, u.attributes, u.created_at, u.updated_at,
            i.display, i.verified, c.secret, c.changed_at
     FROM identifiers i
     JOIN users u ON u.id = i.user_id
     LEFT JOIN credentials c ON c.user_id = u.id AND c.kind = 'password'
     WHERE i.kind = 'email' AND i.canonical = $1",
);

static BY_SUB: Statement = Statement::new(
    "user.by_sub",
    "SELECT u.id, u.sub, u.state, u.name, u.claims, u.attributes, u.created_at, u.updated_at,
            i.display, i.verified
     FROM users u LEFT JOIN identifiers i ON i.user_id = u.id AND i.kind = 'email'
     WHERE u.sub = $1",
);

static LIST: Statement = Statement::new(
    "user.list",
    "SELECT u.id, u.sub, u.state, u.name, u.claims, u.attributes, u.created_at, u.updated_at,
            i.display, i.verified
     FROM users u LEFT JOIN identifiers i ON i.user_id = u.id AND i.kind = 'email'
     ORDER BY u.id LIMIT $1",
);

static LIST_AFTER: Statement = Statement::new(
    "user.list_after",
    "SELECT u.id, u.sub, u.state, u.name, u.claims, u.attributes, u.created_at, u.updated_at,
            i.display, i.verified
     FROM users u LEFT JOIN identifiers i ON i.user_id = u.id AND i.kind = 'email'
     WHERE u.id > (SELECT a.id FROM users a WHERE a.sub = $1)
     ORDER BY u.id LIMIT $2",
);

static SET_STATE: Statement = Statement::new(
    "user.set_state",
    "UPDATE users SET state = $2, updated_at = $3
     WHERE sub = $1 AND (state <> 'deleted' OR state = $2) RETURNING id",
);

static FORGET_IDENTIFIERS: Statement = Statement::new(
    "user.forget_identifiers",
    "DELETE FROM identifiers WHERE user_id = $1",
);

static FORGET_CREDENTIALS: Statement = Statement::new(
    "user.forget_credentials",
    "DELETE FROM credentials WHERE user_id = $1",
);

static FORGET_ROLES: Statement =
    Statement::new("user.forget_roles", "DELETE FROM user_roles WHERE user_id = $1");

static FORGET_CLAIMS: Statement = Statement::new(
    "user.forget_claims",
    "UPDATE users SET name = NULL, claims = '{}', attributes = '{}' WHERE id = $1",
);

static FORGET_SESSIONS: Statement = Statement::new(
    "user.forget_sessions",
    "UPDATE sessions SET address = '', user_agent = '' WHERE user_id = $1",
);

static FORGET_GRANTS: Statement =
    Statement::new("user.forget_grants", "DELETE FROM grants WHERE user_id = $1");

static FORGET_WITHDRAWALS: Statement = Statement::new(
    "user.forget_withdrawals",
    "DELETE FROM withdrawals WHERE user_id = $1",
);

pub(crate) static STATEMENTS: [&Statement; 14] = [
    &INSERT,
    &INSERT_IDENTIFIER,
    &FIND_LOGIN,
    &BY_SUB,
    &LIST,
    &LIST_AFTER,
    &SET_STATE,
    &FORGET_IDENTIFIERS,
    &FORGET_CREDENTIALS,
    &FORGET_ROLES,
    &FORGET_CLAIMS,
    &FORGET_SESSIONS,
    &FORGET_GRANTS,
    &FORGET_WITHDRAWALS,
];
