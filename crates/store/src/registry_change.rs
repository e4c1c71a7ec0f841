//! Many changes of the registry as one: all of them are done, or none.

use crate::administrator::{LAST, is_administered};
use crate::audit::{self, AuditAction, NewAudit};
use crate::client::{self, ClientState};
use crate::credential;
use crate::cut::{Cut, Reason};
use crate::database::{Lane, Statement, Tx, params};
use crate::error::StoreError;
use crate::id::{Id, random_name};
use crate::role::{self, Role};
use crate::store::Store;
use crate::user::{self, NewUser, UserState};

/// What is to become of a [`Registry`](crate::Registry).
#[derive(Clone)]
pub struct RegistryChange {
    /// The epoch of the registry that the steps were made from.
    pub epoch: i64,
    /// The moment, how long revocations stay, and who does it; its own reason and action are of no account.
    pub cut: Cut,
    /// The role without which nobody administers: of its holders one stays, if there was one.
    pub administrators: String,
    /// What to do, in this order.
    pub steps: Vec<RegistryStep>,
}

/// One change of something by its name.
#[derive(Clone)]
pub enum RegistryStep {
    /// Make the role, or make it exactly so.
    PutRole(Role),
    /// Remove the role from everybody.
    RemoveRole(String),
    /// Register a client.
    AddClient(ClientChange),
    /// Change a client.
    ChangeClient(ClientChange),
    /// Make a user, active or disabled.
    AddUser(NewUser, UserState),
    /// Change a user.
    ChangeUser(UserChange),
}

/// What a client becomes; what is `None` stays.
#[derive(Clone, Default)]
pub struct ClientChange {
    /// Its name.
    pub client_id: String,
    /// What it is registered with, as JSON text. A client that is added has some.
    pub settings: Option<String>,
    /// Digests of the secrets that count from now on; another that was to count without end does so no more.
    pub secrets: Option<Vec<[u8; 32]>>,
    /// Whether it may ask for tokens. Who may not any more loses every token and family.
    pub state: Option<ClientState>,
}

/// What a user becomes; what is `None` stays.
#[derive(Clone, Default)]
pub struct UserChange {
    /// Who.
    pub sub: String,
    /// The `updated_at` that the change was made from: a user who has changed since is not overwritten.
    pub seen_at: i64,
    /// Address, name, claims, attributes.
    pub profile: Option<UserProfile>,
    /// The roles, these and no other.
    pub roles: Option<Vec<String>>,
    /// The first password's hash, of a user who has none.
    pub password_hash: Option<String>,
    /// Whether the user may log in. Who may not any more loses every session and token.
    pub state: Option<UserState>,
}

/// What is told of a user.
#[derive(Clone)]
pub struct UserProfile {
    /// The address as written; its canonical form stays.
    pub email_display: String,
    /// Whether it is known to be theirs.
    pub email_verified: bool,
    /// The name to show.
    pub name: Option<String>,
    /// Standard claims, as JSON text.
    pub claims: String,
    /// The deployment's own attributes, as JSON text.
    pub attributes: String,
}

impl Store {
    /// Do all steps in one transaction, with their revocations and audit rows, and move the settings epoch.
    ///
    /// [`StoreError::Conflict`], and nothing was done: `registry_changed` when the registry is not any more the one that the steps were
    /// made from; `last_administrator` when nobody would be left; and those of the steps, such as `email_taken`.
    pub async fn change_registry(&self, change: &RegistryChange) -> Result<(), StoreError> {
        let change = change.clone();
        // A thousand users take longer than a request may. Alone: it locks rows of every kind.
        self.database
            .write_at_leisure(Lane::Alone, "registry.change", async move |tx| {
                run(tx, &change).await
            })
            .await
    }
}

async fn run(tx: Tx<'_>, change: &RegistryChange) -> Result<(), StoreError> {
    let administered = is_administered(tx, &change.administrators).await?;
    let mut steps: Vec<&RegistryStep> = change.steps.iter().collect();
    steps.sort_by_key(|step| turn(step));
    for step in steps {
        let work = Step { tx, cut: &change.cut };
        match step {
            RegistryStep::PutRole(role) => work.put_role(role).await,
            RegistryStep::RemoveRole(name) => work.remove_role(name).await,
            RegistryStep::AddClient(client) => work.add_client(client).await,
            RegistryStep::ChangeClient(client) => work.change_client(client).await,
            RegistryStep::AddUser(new, state) => work.add_user(new, *state).await,
            RegistryStep::ChangeUser(user) => work.change_user(user).await,
        }?;
    }
    if administered && !is_administered(tx, &change.administrators).await? {
        return Err(LAST);
    }
    // Last, so that whoever changed something meanwhile has either committed and is seen, or waits for us.
    match tx.execute(&ADVANCE, params![change.epoch]).await? {
        1 => Ok(()),
        _ => Err(CHANGED),
    }
}

/// Users before clients, as a login locks them; of each, those last who lose tokens: logouts everywhere wait for whoever holds the
/// revocation clock.
fn turn(step: &RegistryStep) -> u8 {
    match step {
        RegistryStep::PutRole(_) => 0,
        RegistryStep::AddUser(_, UserState::Active) => 1,
        RegistryStep::ChangeUser(change) if change.state.is_none_or(|state| state == UserState::Active) => 1,
        RegistryStep::AddUser(..) | RegistryStep::ChangeUser(_) => 2,
        RegistryStep::AddClient(change) | RegistryStep::ChangeClient(change) => {
            match change.state.is_none_or(|state| state == ClientState::Active) {
                true => 3,
                false => 4,
            }
        }
        RegistryStep::RemoveRole(_) => 5,
    }
}

/// A step at work.
struct Step<'a> {
    tx: Tx<'a>,
    cut: &'a Cut,
}

impl Step<'_> {
    async fn put_role(&self, role: &Role) -> Result<(), StoreError> {
        let action = match role::put(self.tx, role, self.cut.at).await? {
            true => AuditAction::RoleCreate,
            false => AuditAction::RoleChange,
        };
        self.did(action, &role.name).await
    }

    async fn remove_role(&self, name: &str) -> Result<(), StoreError> {
        found(role::remove(self.tx, name).await?)?;
        self.did(AuditAction::RoleRemove, name).await
    }

    async fn add_client(&self, new: &ClientChange) -> Result<(), StoreError> {
        let settings = new.settings.as_deref().unwrap_or("{}");
        let added = client::insert(self.tx, (&new.client_id, settings), self.cut.at).await?;
        let id = added.ok_or(StoreError::Conflict("client_taken"))?;
        client::keep_secrets(
            self.tx,
            id,
            new.secrets.as_deref().unwrap_or_default(),
            self.cut.at,
        )
        .await?;
        self.did(AuditAction::ClientCreate, &new.client_id).await?;
        self.client_state(new).await
    }

    async fn change_client(&self, change: &ClientChange) -> Result<(), StoreError> {
        let client_id = &change.client_id;
        if let Some(settings) = &change.settings {
            let row = params![client_id, settings, self.cut.at];
            found(self.tx.execute(&SET_SETTINGS, row).await? == 1)?;
            self.did(AuditAction::ClientChange, client_id).await?;
        }
        if let Some(secrets) = &change.secrets {
            let row = self.tx.optional(&FIND_CLIENT, params![client_id]).await?;
            let id: Id = row.ok_or(CHANGED)?.fields().take()?;
            client::keep_secrets(self.tx, id, secrets, self.cut.at).await?;
            self.did(AuditAction::ClientSecret, client_id).await?;
        }
        self.client_state(change).await
    }

    async fn client_state(&self, change: &ClientChange) -> Result<(), StoreError> {
        let Some(state) = change.state else {
            return Ok(());
        };
        let action = match state {
            ClientState::Active => AuditAction::ClientEnable,
            ClientState::Disabled => AuditAction::ClientDisable,
            ClientState::Deleted => AuditAction::ClientDelete,
        };
        let cut = self.because(Reason::Revoked);
        match client::change_state(self.tx, &change.client_id, state, &cut).await? {
            None => Err(CHANGED),
            Some(false) => Ok(()),
            Some(true) => self.did(action, &change.client_id).await,
        }
    }

    async fn add_user(&self, new: &NewUser, state: UserState) -> Result<(), StoreError> {
        let mut new = new.clone();
        if new.sub.is_empty() {
            new.sub = random_name()?;
        }
        user::create(self.tx, Id::new(self.cut.at)?, &new, self.cut.at).await?;
        self.did(AuditAction::UserCreate, &new.sub).await?;
        match state {
            UserState::Active => Ok(()),
            other => self.user_state(&new.sub, other).await,
        }
    }

    async fn change_user(&self, change: &UserChange) -> Result<(), StoreError> {
        // The time of a change always advances, so that no two look the same.
        let now = self.cut.at.max(change.seen_at.saturating_add(1));
        let claimed = params![&change.sub, change.seen_at, now];
        let row = self.tx.optional(&CLAIM_USER, claimed).await?;
        let user: Id = row.ok_or(CHANGED)?.fields().take()?;
        if let Some(profile) = &change.profile {
            let told = params![
                user,
                profile.name.as_deref(),
                &profile.claims,
                &profile.attributes
            ];
            self.tx.execute(&DESCRIBE_USER, told).await?;
            let address = params![user, &profile.email_display, profile.email_verified];
            self.tx.execute(&DESCRIBE_ADDRESS, address).await?;
            self.did(AuditAction::UserChange, &change.sub).await?;
        }
        if let Some(hash) = &change.password_hash {
            credential::put_password(self.tx, user, hash, self.cut.at).await?;
            self.did(AuditAction::PasswordChange, &change.sub).await?;
        }
        if let Some(roles) = &change.roles {
            let (given, taken) = role::hold_exactly(self.tx, user, roles).await?;
            for (action, times) in [(AuditAction::RoleGive, given), (AuditAction::RoleTake, taken)] {
                for _ in 0..times {
                    self.did(action, &change.sub).await?;
                }
            }
        }
        match change.state {
            Some(state) => self.user_state(&change.sub, state).await,
            None => Ok(()),
        }
    }

    async fn user_state(&self, sub: &str, state: UserState) -> Result<(), StoreError> {
        let (action, reason) = match state {
            UserState::Active => (AuditAction::UserEnable, Reason::UserDisabled),
            UserState::Disabled => (AuditAction::UserDisable, Reason::UserDisabled),
            UserState::Deleted => (AuditAction::UserDelete, Reason::UserDeleted),
        };
        found(user::change_state(self.tx, sub, state, &self.because(reason)).await?)?;
        self.did(action, sub).await
    }

    fn because(&self, reason: Reason) -> Cut {
        Cut {
            reason,
            ..self.cut.clone()
        }
    }

    async fn did(&self, action: AuditAction, object: &str) -> Result<(), StoreError> {
        let row = NewAudit {
            action,
            object: object.to_owned(),
            ..self.cut.audit.clone()
        };
        audit::append(self.tx, &row, self.cut.at).await
    }
}
fn found(is_there: bool) -> Result<(), StoreError> {
    if is_there { Ok(()) } else { Err(CHANGED) }
}

const CHANGED: StoreError = StoreError::Conflict("registry_changed");

/// Each change has a time of its own, as at `client_registration.change`.
static SET_SETTINGS: Statement = Statement::new(
    "registry_change.set_settings",
    "UPDATE clients SET settings = $2, updated_at = CASE WHEN updated_at >= $3 THEN updated_at + 1 ELSE $3 END
     WHERE client_id = $1 AND state <> 'deleted'",
);

static FIND_CLIENT: Statement = Statement::new(
    "registry_change.find_client",
    "UPDATE clients SET updated_at = updated_at WHERE client_id = $1 AND state <> 'deleted' RETURNING id",
);

static CLAIM_USER: Statement = Statement::new(
    "registry_change.claim_user",
    "UPDATE users SET updated_at = $3 WHERE sub = $1 AND updated_at = $2 AND state <> 'deleted' RETURNING id",
);

static DESCRIBE_USER: Statement = Statement::new(
    "registry_change.describe_user",
    "UPDATE users SET name = $2, claims = $3, attributes = $4 WHERE id = $1",
);

static DESCRIBE_ADDRESS: Statement = Statement::new(
    "registry_change.describe_address",
    "UPDATE identifiers SET display = $2, verified = $3 WHERE user_id = $1 AND kind = 'email'",
);

static ADVANCE: Statement = Statement::new(
    "registry_change.advance",
    "UPDATE settings SET version = version + 1 WHERE one = 1 AND version = $1",
);

pub(crate) static STATEMENTS: [&Statement; 6] = [
    &SET_SETTINGS,
    &FIND_CLIENT,
    &CLAIM_USER,
    &DESCRIBE_USER,
    &DESCRIBE_ADDRESS,
    &ADVANCE,
];
