//! Who did what, when, from where, and how it ended.

use crate::database::{Lane, Row, Statement, Tx, params};
use crate::error::StoreError;
use crate::id::Id;
use crate::names::closed_enum;
use crate::store::Store;

closed_enum! {
    /// What was done. The list is closed: an action that is not here cannot be recorded.
    pub enum AuditAction {
        /// Someone tried to log in.
        Login = "login",
        /// A session was ended by its owner.
        Logout = "logout",
        /// Someone asked for an account.
        Register = "register",
        /// A password was changed or set.
        PasswordChange = "password_change",
        /// A refresh was refused.
        Refresh = "refresh",
        /// A spent refresh token came back: its family was revoked.
        RefreshReuse = "refresh_reuse",
        /// A token, session or family was revoked.
        Revoke = "revoke",
        /// A user was made.
        UserCreate = "user_create",
        /// A user's name, address, claims or attributes were changed.
        UserChange = "user_change",
        /// A user was disabled.
        UserDisable = "user_disable",
        /// A user was enabled.
        UserEnable = "user_enable",
        /// A user was deleted.
        UserDelete = "user_delete",
        /// A role was made.
        RoleCreate = "role_create",
        /// A role was changed: its permissions or its audience.
        RoleChange = "role_change",
        /// A role was removed.
        RoleRemove = "role_remove",
        /// A role was given to a user.
        RoleGive = "role_give",
        /// A role was taken from a user.
        RoleTake = "role_take",
        /// A signing key was made.
        KeyCreate = "key_create",
        /// A signing key became active.
        KeyPromote = "key_promote",
        /// The last key of an algorithm that is no longer configured stopped to sign.
        KeyRetire = "key_retire",
        /// A retired signing key was removed.
        KeyRemove = "key_remove",
        /// A signing key was revoked in an emergency.
        KeyRevoke = "key_revoke",
        /// A key was exported.
        KeyExport = "key_export",
        /// A client was registered.
        ClientCreate = "client_create",
        /// A client's registration was changed.
        ClientChange = "client_change",
        /// A client registered itself, or tried to.
        ClientRegister = "client_register",
        /// An initial access token was made.
        RegistrationTokenCreate = "registration_token_create",
        /// An initial access token was taken back.
        RegistrationTokenRevoke = "registration_token_revoke",
        /// A client was given another secret.
        ClientSecret = "client_secret",
        /// A client was enabled.
        ClientEnable = "client_enable",
        /// A client was disabled.
        ClientDisable = "client_disable",
        /// A client was deleted.
        ClientDelete = "client_delete",
        /// A client could not prove who it is.
        ClientAuthentication = "client_authentication",
        /// A user let a client do something, or did not.
        Consent = "consent",
        /// A user took back what they had let a client do.
        ConsentWithdraw = "consent_withdraw",
        /// A client was told that a session has ended, or could not be told.
        LogoutNotice = "logout_notice",
        /// A code came a second time: what it had led to was revoked.
        CodeReuse = "code_reuse",
        /// A resource server was refused at introspection.
        Introspect = "introspect",
        /// The database was restored from a backup: what follows revocations begins anew.
        BackupRestore = "backup_restore",
    }
}

closed_enum! {
    /// How an action ended.
    pub enum Outcome {
        /// It was done.
        Success = "success",
        /// It was not allowed.
        Refused = "refused",
        /// It broke.
        Failed = "failed",
    }
}

/// An audit row before it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAudit {
    /// Who: a `sub`, a client id, `cli`, `system`; empty when nobody is known.
    pub actor: String,
    /// What was done.
    pub action: AuditAction,
    /// To what: a `sub`, `sid`, `fam`, `kid`, role name.
    pub object: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The stable code of the outcome; empty for a plain success.
    pub code: String,
    /// From where.
    pub address: String,
    /// The `sid` in which it happened, or empty.
    pub session: String,
    /// The id that ties it to a request's log lines.
    pub correlation: String,
    /// More, as JSON text; never a secret.
    pub details: String,
}

impl NewAudit {
    /// A success of `actor` on `object`, with everything else empty.
    pub fn success(actor: impl Into<String>, action: AuditAction, object: impl Into<String>) -> Self {
        Self {
            actor: actor.into(),
            action,
            object: object.into(),
            outcome: Outcome::Success,
            code: String::new(),
            address: String::new(),
            session: String::new(),
            correlation: String::new(),
            details: "{}".to_owned(),
        }
    }
}

/// An audit row as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// When, in milliseconds.
    pub at: i64,
    /// What was recorded.
    pub event: NewAudit,
    /// The chain hash; empty until rows are chained.
    pub hash: Option<String>,
}

impl Store {
    /// Write one audit row.
    pub async fn record_audit(&self, event: &NewAudit, now: i64) -> Result<(), StoreError> {
        let event = event.clone();
        self.database
            .write(Lane::Main, "audit.record", async move |tx| {
                append(tx, &event, now).await
            })
            .await
    }

    /// The newest `limit` rows, newest first.
    pub async fn list_audit(&self, limit: i64) -> Result<Vec<AuditRow>, StoreError> {
        let rows = self.database.read(&LIST, params![limit]).await?;
        rows.into_iter().map(read).collect()
    }
}

/// Write an audit row inside the transaction that it reports.
pub(crate) async fn append(tx: Tx<'_>, event: &NewAudit, now: i64) -> Result<(), StoreError> {
    tx.execute(
        &APPEND,
        params![
            Id::new(now)?,
            now,
            &event.actor,
            event.action.as_str(),
            &event.object,
            event.outcome.as_str(),
            &event.code,
            &event.address,
            &event.session,
            &event.correlation,
            &event.details
        ],
    )
    .await?;
    Ok(())
}

fn read(row: Row) -> Result<AuditRow, StoreError> {
    let mut row = row.fields();
    Ok(AuditRow {
        at: row.take()?,
        event: NewAudit {
            actor: row.take()?,
            action: AuditAction::read(&row.take::<String>()?)?,
            object: row.take()?,
            outcome: Outcome::read(&row.take::<String>()?)?,
            code: row.take()?,
            address: row.take()?,
            session: row.take()?,
            correlation: row.take()?,
            details: row.take()?,
        },
        hash: row.take()?,
    })
}

static APPEND: Statement = Statement::new(
    "audit.append",
    "INSERT INTO audit_events
       (id, at, actor, action, object, outcome, code, address, session, correlation, details)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
);

static LIST: Statement = Statement::new(
    "audit.list",
    "SELECT at, actor, action, object, outcome, code, address, session, correlation, details, hash
     FROM audit_events ORDER BY id DESC LIMIT $1",
);

pub(crate) static STATEMENTS: [&Statement; 2] = [&APPEND, &LIST];
