//! A family as a refresh looks at it: with its user, its login, and what the user may do at its audience.

use crate::database::{Row, Statement, params};
use crate::error::StoreError;
use crate::family::{self, Family};
use crate::role::{self, Access};
use crate::store::Store;
use crate::user::{self, User};

/// A family with the user behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FamilyRecord {
    /// The family.
    pub family: Family,
    /// Whose it is, as they are now.
    pub user: User,
    /// When the user proved who they are, at the login that began the session.
    pub auth_time: i64,
    /// The single claims that the login was asked for, as the server wrote them.
    pub claims: Option<String>,
}

impl Store {
    /// The family of this name, with its user; dead ones included.
    pub async fn family(&self, fam: &str) -> Result<Option<FamilyRecord>, StoreError> {
        let row = self.database.read_one(&RECORD, params![fam]).await?;
        row.map(read_record).transpose()
    }

    /// As [`Store::family`], with what its user may do at its audience.
    pub async fn family_and_access(&self, fam: &str) -> Result<Option<(FamilyRecord, Access)>, StoreError> {
        let of_user = (&role::ACCESS, [USER_ID, AUDIENCE].as_slice());
        let found = self.database.read_on((&RECORD, params![fam]), of_user).await?;
        found
            .map(|(row, rows)| Ok((read_record(row)?, role::access(rows)?)))
            .transpose()
    }
}

fn read_record(row: Row) -> Result<FamilyRecord, StoreError> {
    let mut row = row.fields();
    Ok(FamilyRecord {
        family: family::read(&mut row)?,
        user: user::read_fields(&mut row)?,
        auth_time: row.take()?,
        claims: row.take()?,
    })
}

static RECORD: Statement = Statement::new(
    "family.record",
    "SELECT f.id, f.fam, f.session_id, f.sid, f.user_id, f.sub, f.client_id, f.scope, f.audience, f.generation,
            f.issued_at, f.mac_key, f.salt, f.idle_ms, f.idle_expires_at, f.absolute_expires_at, f.revoked_at,
            f.revoked_reason, f.jkt,
            u.id, u.sub, u.state, u.name, u.claims, u.attributes, u.created_at, u.updated_at, i.display, i.verified,
            s.auth_time, f.claims
     FROM families f
     JOIN users u ON u.id = f.user_id
     JOIN sessions s ON s.id = f.session_id
     LEFT JOIN identifiers i ON i.user_id = u.id AND i.kind = 'email'
     WHERE f.fam = $1",
);

/// Where they stand in [`RECORD`].
const USER_ID: usize = 4;
const AUDIENCE: usize = 8;

pub(crate) static STATEMENTS: [&Statement; 1] = [&RECORD];
