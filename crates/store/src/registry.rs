//! The registry: roles, clients and users at one moment, as an operator writes them into one file.

use std::collections::HashMap;

use crate::client::{ClientRow, ClientSecret};
use crate::database::{Statement, params};
use crate::error::StoreError;
use crate::role::Role;
use crate::store::Store;
use crate::user::{User, UserState};

/// What is registered. What changes while it is read shows when a change is made of it: see [`Store::change_registry`].
#[derive(Clone)]
pub struct Registry {
    /// The settings epoch before anything was read.
    pub epoch: i64,
    /// Every role, by name.
    pub roles: Vec<Role>,
    /// Every client that is not deleted, by name.
    pub clients: Vec<ClientRow>,
    /// Their secrets.
    pub secrets: Vec<ClientSecret>,
    /// The names of deleted clients, which nobody gets again.
    pub deleted_clients: Vec<String>,
    /// Every user who is not deleted, by e-mail address.
    pub users: Vec<RegisteredUser>,
}

/// A user, with what else is registered of them.
#[derive(Clone)]
pub struct RegisteredUser {
    /// Who it is.
    pub user: User,
    /// The names of their roles, sorted.
    pub roles: Vec<String>,
    /// What their password is checked against.
    pub password_hash: Option<String>,
}

impl Store {
    /// Everything that is registered.
    pub async fn registry(&self) -> Result<Registry, StoreError> {
        // First: whatever changes after this is noticed by its number.
        let epoch = self.settings_epoch().await?;
        let mut deleted_clients = Vec::new();
        for row in self.database.read(&DELETED_CLIENTS, params![]).await? {
            deleted_clients.push(row.fields().take()?);
        }
        Ok(Registry {
            epoch,
            roles: self.list_roles().await?,
            clients: self.clients().await?,
            secrets: self.client_secrets().await?,
            deleted_clients,
            users: self.registered_users().await?,
        })
    }

    async fn registered_users(&self) -> Result<Vec<RegisteredUser>, StoreError> {
        let mut users: Vec<User> = Vec::new();
        loop {
            let after = users.last().map(|user| user.sub.clone());
            let page = self.list_users(after.as_deref(), PAGE).await?;
            if page.is_empty() {
                break;
            }
            users.extend(page);
        }
        let mut roles: HashMap<String, Vec<String>> = HashMap::new();
        for row in self.database.read(&HOLDERS, params![]).await? {
            let mut row = row.fields();
            let (sub, role) = (row.take()?, row.take()?);
            roles.entry(sub).or_default().push(role);
        }
        let mut hashes: HashMap<String, String> = HashMap::new();
        for row in self.database.read(&HASHES, params![]).await? {
            let mut row = row.fields();
            hashes.insert(row.take()?, row.take()?);
        }
        let registered = |user: User| {
            let mut roles = roles.remove(&user.sub).unwrap_or_default();
            roles.sort();
            RegisteredUser {
                roles,
                password_hash: hashes.remove(&user.sub),
                user,
            }
        };
        users.sort_by(|a, b| a.email.cmp(&b.email));
        let living = users.into_iter().filter(|user| user.state != UserState::Deleted);
        Ok(living.map(registered).collect())
    }
}

/// How many users are read at once.
const PAGE: i64 = 1_000;

static DELETED_CLIENTS: Statement = Statement::new(
    "registry.deleted_clients",
    "SELECT client_id FROM clients WHERE state = 'deleted' ORDER BY client_id",
);

static HOLDERS: Statement = Statement::new(
    "registry.holders",
    "SELECT u.sub, r.name FROM user_roles h JOIN users u ON u.id = h.user_id JOIN roles r ON r.id = h.role_id",
);

static HASHES: Statement = Statement::new(
    "registry.hashes",
    "SELECT u.sub, c.secret FROM credentials c JOIN users u ON u.id = c.user_id WHERE c.kind = 'password'",
);

pub(crate) static STATEMENTS: [&Statement; 3] = [&DELETED_CLIENTS, &HOLDERS, &HASHES];
