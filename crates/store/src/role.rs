//! Roles and what they permit.

use crate::database::{Lane, Row, Statement, Tx, params};
use crate::error::StoreError;
use crate::id::Id;
use crate::settings;
use crate::store::Store;

/// A named bundle of permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its unique name.
    pub name: String,
    /// The only audience in whose tokens it appears; everywhere when none.
    pub audience: Option<String>,
    /// What it permits, sorted.
    pub permissions: Vec<String>,
    /// What it is for.
    pub description: String,
}

/// What a user may do at one audience.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The role names, sorted.
    pub roles: Vec<String>,
    /// The permissions of all of them, sorted, each once.
    pub permissions: Vec<String>,
}

impl Store {
    /// Make a role. [`StoreError::Conflict`]: `role_taken`.
    pub async fn add_role(&self, name: &str, description: &str, now: i64) -> Result<(), StoreError> {
        let (name, description) = (name.to_owned(), description.to_owned());
        self.database
            .write(Lane::Main, "role.add", async move |tx| {
                if !insert(tx, (&name, &description), now).await? {
                    return Err(StoreError::Conflict("role_taken"));
                }
                settings::bump(tx).await
            })
            .await
    }

    /// Every role, by name.
    pub async fn list_roles(&self) -> Result<Vec<Role>, StoreError> {
        let mut roles: Vec<Role> = Vec::new();
        for row in self.database.read(&LIST, params![]).await? {
            let mut row = row.fields();
            let name: String = row.take()?;
            let (audience, description) = (row.take()?, row.take()?);
            if roles.last().is_none_or(|last| last.name != name) {
                roles.push(Role {
                    name,
                    audience,
                    permissions: Vec::new(),
                    description,
                });
            }
            if let (Some(role), Some(permission)) = (roles.last_mut(), row.take::<Option<String>>()?) {
                role.permissions.push(permission);
            }
        }
        // The two engines may collate differently; the house order is that of the bytes.
        roles.sort_by(|a, b| a.name.cmp(&b.name));
        roles.iter_mut().for_each(|role| role.permissions.sort());
        Ok(roles)
    }

    /// Remove a role and take it from everybody; `false` when there is none.
    pub async fn remove_role(&self, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.database
            .write(Lane::Main, "role.remove", async move |tx| {
                if !remove(tx, &name).await? {
                    return Ok(false);
                }
                settings::bump(tx).await?;
                Ok(true)
            })
            .await
    }

    /// Let a role permit something; `false` when it did already.
    ///
    /// Naming an audience binds the whole role to it, so that it appears in no other token.
    /// [`StoreError::Conflict`]: `role_unknown`; `role_audience` when the role is bound elsewhere, or already
    /// permits something everywhere.
    pub async fn permit(
        &self,
        role: &str,
        permission: &str,
        audience: Option<&str>,
    ) -> Result<bool, StoreError> {
        let (name, permission) = (role.to_owned(), permission.to_owned());
        let audience = audience.map(str::to_owned);
        self.database
            .write(Lane::Main, "role.permit", async move |tx| {
                let role = find(tx, &name)
                    .await?
                    .ok_or(StoreError::Conflict("role_unknown"))?;
                if let Some(audience) = &audience
                    && tx.execute(&BIND, params![role, audience]).await? == 0
                {
                    return Err(StoreError::Conflict("role_audience"));
                }
                let added = tx.execute(&PERMIT, params![role, &permission]).await? == 1;
                settings::bump(tx).await?;
                Ok(added)
            })
            .await
    }

    /// Take a permission from a role; `false` when it had none such.
    pub async fn forbid(&self, role: &str, permission: &str) -> Result<bool, StoreError> {
        let (name, permission) = (role.to_owned(), permission.to_owned());
        self.database
            .write(Lane::Main, "role.forbid", async move |tx| {
                let role = find(tx, &name)
                    .await?
                    .ok_or(StoreError::Conflict("role_unknown"))?;
                let removed = tx.execute(&FORBID, params![role, &permission]).await? == 1;
                settings::bump(tx).await?;
                Ok(removed)
            })
            .await
    }

    /// Give a role to a user; `false` when they had it. [`StoreError::Conflict`]: `user_unknown`, `role_unknown`.
    pub async fn give_role(&self, sub: &str, role: &str) -> Result<bool, StoreError> {
        let (sub, role) = (sub.to_owned(), role.to_owned());
        self.database
            .write(Lane::Main, "role.give", async move |tx| {
                let user = find_user(tx, &sub).await?;
                let given = give(tx, user, &role).await?;
                settings::bump(tx).await?;
                Ok(given)
            })
            .await
    }

    /// Take a role from a user; `false` when they had it not. [`StoreError::Conflict`]: `user_unknown`,
    /// `role_unknown`.
    pub async fn take_role(&self, sub: &str, role: &str) -> Result<bool, StoreError> {
        let (sub, name) = (sub.to_owned(), role.to_owned());
        self.database
            .write(Lane::Main, "role.take", async move |tx| {
                let taken = take_of(tx, &sub, &name).await?;
                settings::bump(tx).await?;
                Ok(taken)
            })
            .await
    }

    /// The names of all roles of a user, whatever their audience.
    pub async fn roles_of(&self, user: Id) -> Result<Vec<String>, StoreError> {
        let rows = self.database.read(&OF_USER, params![user]).await?;
        let mut names: Vec<String> = rows
            .into_iter()
            .map(|row| row.fields().take())
            .collect::<Result<_, _>>()?;
        names.sort();
        Ok(names)
    }

    /// What a user may do at this audience: the roles bound to it and those bound to none.
    pub async fn access_of(&self, user: Id, audience: &str) -> Result<Access, StoreError> {
        access(self.database.read(&ACCESS, params![user, audience]).await?)
    }
}

/// What the rows of [`ACCESS`] say.
pub(crate) fn access(rows: Vec<Row>) -> Result<Access, StoreError> {
    let mut access = Access::default();
    for row in rows {
        let (role, permission) = read_access(row)?;
        access.roles.push(role);
        access.permissions.extend(permission);
    }
    for list in [&mut access.roles, &mut access.permissions] {
        list.sort();
        list.dedup();
    }
    Ok(access)
}

/// Give a role that exists; `false` when the user had it.
pub(crate) async fn give(tx: Tx<'_>, user: Id, name: &str) -> Result<bool, StoreError> {
    let role = find(tx, name)
        .await?
        .ok_or(StoreError::Conflict("role_unknown"))?;
    Ok(tx.execute(&GIVE, params![user, role]).await? == 1)
}

/// Take a role by the names of both; `false` when the user had it not.
pub(crate) async fn take_of(tx: Tx<'_>, sub: &str, name: &str) -> Result<bool, StoreError> {
    let user = find_user(tx, sub).await?;
    let role = find(tx, name)
        .await?
        .ok_or(StoreError::Conflict("role_unknown"))?;
    take(tx, user, role).await
}

/// Take a role; `false` when the user had it not.
async fn take(tx: Tx<'_>, user: Id, role: Id) -> Result<bool, StoreError> {
    Ok(tx.execute(&TAKE, params![user, role]).await? == 1)
}

/// Give the user these roles and no other: how many were given, and how many taken.
pub(crate) async fn hold_exactly(
    tx: Tx<'_>,
    user: Id,
    names: &[String],
) -> Result<(usize, usize), StoreError> {
    let (mut given, mut taken) = (0, 0);
    for row in tx.all(&OF_USER, params![user]).await? {
        let name: String = row.fields().take()?;
        if !names.contains(&name)
            && let Some(role) = find(tx, &name).await?
            && take(tx, user, role).await?
        {
            taken += 1;
        }
    }
    for name in names {
        if give(tx, user, name).await? {
            given += 1;
        }
    }
    Ok((given, taken))
}

/// Make a role; `false` when there is one of this name.
async fn insert(tx: Tx<'_>, (name, description): (&str, &str), now: i64) -> Result<bool, StoreError> {
    let row = params![Id::new(now)?, name, description, now];
    Ok(tx.optional(&INSERT, row).await?.is_some())
}

/// Make a role, or make the one of this name exactly so; whether it is new.
pub(crate) async fn put(tx: Tx<'_>, role: &Role, now: i64) -> Result<bool, StoreError> {
    let is_new = insert(tx, (&role.name, &role.description), now).await?;
    let id = find(tx, &role.name)
        .await?
        .ok_or(StoreError::Conflict("role_unknown"))?;
    tx.execute(
        &DESCRIBE,
        params![id, role.audience.as_deref(), &role.description],
    )
    .await?;
    tx.execute(&REMOVE_PERMISSIONS, params![id]).await?;
    for permission in &role.permissions {
        tx.execute(&PERMIT, params![id, permission]).await?;
    }
    Ok(is_new)
}

/// Remove a role and take it from everybody; `false` when there is none.
pub(crate) async fn remove(tx: Tx<'_>, name: &str) -> Result<bool, StoreError> {
    let Some(role) = find(tx, name).await? else {
        return Ok(false);
    };
    for statement in [&REMOVE_PERMISSIONS, &REMOVE_HOLDERS, &REMOVE] {
        tx.execute(statement, params![role]).await?;
    }
    Ok(true)
}

/// The role's handle. The row is locked, so that nobody removes the role meanwhile.
pub(crate) async fn find(tx: Tx<'_>, name: &str) -> Result<Option<Id>, StoreError> {
    tx.optional(&LOCK, params![name])
        .await?
        .map(|row| row.fields().take())
        .transpose()
}

async fn find_user(tx: Tx<'_>, sub: &str) -> Result<Id, StoreError> {
    let row = tx
        .optional(&FIND_USER, params![sub])
        .await?
        .ok_or(StoreError::Conflict("user_unknown"))?;
    row.fields().take()
}

fn read_access(row: Row) -> Result<(String, Option<String>), StoreError> {
    let mut row = row.fields();
    Ok((row.take()?, row.take()?))
}

static INSERT: Statement = Statement::new(
    "role.insert",
    "INSERT INTO roles (id, name, description, created_at) VALUES ($1, $2, $3, $4)
     ON CONFLICT (name) DO NOTHING RETURNING id",
);

static LIST: Statement = Statement::new(
    "role.list",
    "SELECT r.name, r.audience, r.description, p.permission
     FROM roles r LEFT JOIN role_permissions p ON p.role_id = r.id
     ORDER BY r.name",
);

static LOCK: Statement = Statement::new(
    "role.lock",
    "UPDATE roles SET name = name WHERE name = $1 RETURNING id",
);

static FIND_USER: Statement = Statement::new(
    "role.find_user",
    "SELECT id FROM users WHERE sub = $1 AND state <> 'deleted'",
);

static REMOVE_PERMISSIONS: Statement = Statement::new(
    "role.remove_permissions",
    "DELETE FROM role_permissions WHERE role_id = $1",
);

static REMOVE_HOLDERS: Statement =
    Statement::new("role.remove_holders", "DELETE FROM user_roles WHERE role_id = $1");

static REMOVE: Statement = Statement::new("role.remove", "DELETE FROM roles WHERE id = $1");

static BIND: Statement = Statement::new(
    "role.bind",
    "UPDATE roles SET audience = $2
     WHERE id = $1 AND (audience = $2 OR (audience IS NULL AND NOT EXISTS
       (SELECT p.role_id FROM role_permissions p WHERE p.role_id = roles.id)))",
);

static DESCRIBE: Statement = Statement::new(
    "role.describe",
    "UPDATE roles SET audience = $2, description = $3 WHERE id = $1",
);

static PERMIT: Statement = Statement::new(
    "role.permit",
    "INSERT INTO role_permissions (role_id, permission) VALUES ($1, $2)
     ON CONFLICT (role_id, permission) DO NOTHING",
);

static FORBID: Statement = Statement::new(
    "role.forbid",
    "DELETE FROM role_permissions WHERE role_id = $1 AND permission = $2",
);

static GIVE: Statement = Statement::new(
    "role.give",
    "INSERT INTO user_roles (user_id, role_id) VALUES ($1, $2) ON CONFLICT (user_id, role_id) DO NOTHING",
);

static TAKE: Statement = Statement::new(
    "role.take",
    "DELETE FROM user_roles WHERE user_id = $1 AND role_id = $2",
);

static OF_USER: Statement = Statement::new(
    "role.of_user",
    "SELECT r.name FROM user_roles h JOIN roles r ON r.id = h.role_id WHERE h.user_id = $1",
);

/// The roles and permissions of the user `$1` at the audience `$2`.
pub(crate) static ACCESS: Statement = Statement::new(
    "role.access",
    "SELECT r.name, p.permission
     FROM user_roles h
     JOIN roles r ON r.id = h.role_id
     LEFT JOIN role_permissions p ON p.role_id = r.id
     WHERE h.user_id = $1 AND (r.audience IS NULL OR r.audience = $2)",
);

pub(crate) static STATEMENTS: [&Statement; 15] = [
    &INSERT,
    &LIST,
    &LOCK,
    &FIND_USER,
    &REMOVE_PERMISSIONS,
    &REMOVE_HOLDERS,
    &REMOVE,
    &BIND,
    &DESCRIBE,
    &PERMIT,
    &FORBID,
    &GIVE,
    &TAKE,
    &OF_USER,
    &ACCESS,
];
