//! The plan: what differs between a registry file and the registry, and the steps that make them the same.

use std::collections::{BTreeSet, HashMap};

use carnet_server::email::Email;
use carnet_store::{
    NewUser, RegisteredUser, Registry, RegistryStep, Role, UserChange, UserProfile, UserState,
};
use serde_json::{Map, Value, json};

use super::client;
use super::difference::{Action, Change, differences, written};
use super::planned::Plan;
use crate::command::registry::rules::{self, ADMINISTRATORS};
use crate::command::registry::{
    RegistryFile, RoleEntry, State, UserEntry, canonical, role_entry, user_entry,
};
use crate::failure::Failure;

/// What is to be done about a file without an administrator.
pub(super) const KEEP_ONE: &str = "keep one in the file, with that role";

/// Compares the file with what is registered. With `prune`, what a kind that the file names does not list is deleted.
pub(super) fn plan(file: &RegistryFile, registry: &Registry, prune: bool) -> Result<Plan, Failure> {
    let mut plan = Plan::default();
    roles(file, registry, &mut plan);
    client::clients((file, registry), prune, &mut plan)?;
    let administered = users((file, registry), prune, &mut plan);
    let kept = |name: &str| file.roles.iter().flatten().any(|role| role.name == name);
    let mut without_role = false;
    for role in registry.roles.iter().filter(|_| prune && file.roles.is_some()) {
        if !kept(&role.name) {
            without_role |= role.name == ADMINISTRATORS;
            plan.changes.push(Change::of(Action::Delete, "role", &role.name));
            plan.steps.push(RegistryStep::RemoveRole(role.name.clone()));
        }
    }
    let was_administered = registry
        .users
        .iter()
        .any(|known| is_administrator(known.user.state, &known.roles));
    if was_administered && (!administered || without_role) {
        return Err(rules::last_administrator(KEEP_ONE));
    }
    Ok(plan)
}

fn is_administrator(state: UserState, roles: &[String]) -> bool {
    state == UserState::Active && roles.iter().any(|role| role == ADMINISTRATORS)
}

fn roles(file: &RegistryFile, registry: &Registry, plan: &mut Plan) {
    for entry in file.roles.iter().flatten() {
        let wanted = sorted(&entry.entry);
        let known = registry.roles.iter().find(|role| role.name == entry.name);
        let before = known.map(|role| object(&role_entry(role)));
        let found = differences(before.as_ref(), &object(&wanted), "name");
        let action = match (known, found.is_empty()) {
            (None, _) => Action::Create,
            (Some(_), false) => Action::Change,
            (Some(_), true) => continue,
        };
        plan.changes.push(Change {
            differences: found,
            ..Change::of(action, "role", &wanted.name)
        });
        plan.steps.push(RegistryStep::PutRole(Role {
            name: wanted.name,
            audience: wanted.audience,
            permissions: wanted.permissions,
            description: wanted.description,
        }));
    }
}

fn sorted(role: &RoleEntry) -> RoleEntry {
    let permissions: BTreeSet<String> = role.permissions.iter().cloned().collect();
    RoleEntry {
        permissions: permissions.into_iter().collect(),
        ..role.clone()
    }
}

/// Whether somebody administers afterwards.
fn users((file, registry): (&RegistryFile, &Registry), prune: bool, plan: &mut Plan) -> bool {
    let mut known: HashMap<String, &RegisteredUser> = HashMap::new();
    for user in &registry.users {
        let email = canonical(&user.user.email).unwrap_or_else(|| user.user.email.clone());
        known.insert(email, user);
    }
    let mut administered = false;
    for entry in file.users.iter().flatten() {
        let Some(email) = Email::parse(&entry.email) else {
            continue;
        };
        let before = known.remove(&email.canonical);
        let after = Becoming::of(entry, before, email);
        administered |= is_administrator(after.state, &after.roles);
        after.plan(before, plan);
    }
    let prune = prune && file.users.is_some();
    let mut others: Vec<&RegisteredUser> = known.into_values().collect();
    others.sort_by(|a, b| a.user.email.cmp(&b.user.email));
    for user in others {
        if prune {
            plan.changes
                .push(Change::of(Action::Delete, "user", &user.user.email));
            plan.steps.push(RegistryStep::ChangeUser(UserChange {
                state: Some(UserState::Deleted),
                ..change_of(user)
            }));
        } else {
            administered |= is_administrator(user.user.state, &user.roles);
        }
    }
    administered
}

fn change_of(user: &RegisteredUser) -> UserChange {
    UserChange {
        sub: user.user.sub.clone(),
        seen_at: user.user.updated_at,
        ..UserChange::default()
    }
}

/// A user as they will be.
struct Becoming {
    email: Email,
    sub: String,
    name: Option<String>,
    email_verified: bool,
    state: UserState,
    roles: Vec<String>,
    claims: Value,
    attributes: Value,
    /// The first one; whoever has a password keeps it.
    password_hash: Option<String>,
}

impl Becoming {
    fn of(entry: &UserEntry, before: Option<&RegisteredUser>, email: Email) -> Self {
        let now = before.map(|known| user_entry(known, false));
        let roles = entry.roles.clone().or_else(|| now.as_ref()?.roles.clone());
        let roles: BTreeSet<String> = roles.unwrap_or_default().into_iter().collect();
        let name = entry.name.clone().or_else(|| now.as_ref()?.name.clone());
        let had_one = before.is_some_and(|known| known.password_hash.is_some());
        let claims = entry.claims.clone().or_else(|| now.as_ref()?.claims.clone());
        let attributes = entry
            .attributes
            .clone()
            .or_else(|| now.as_ref()?.attributes.clone());
        Self {
            sub: entry.sub.clone().unwrap_or_default(),
            name: name.filter(|name| !name.is_empty()),
            email_verified: entry
                .email_verified
                .or_else(|| now.as_ref()?.email_verified)
                .unwrap_or_default(),
            state: match (entry.state, before) {
                (Some(State::Active), _) | (None, None) => UserState::Active,
                (Some(State::Disabled), _) => UserState::Disabled,
                (None, Some(known)) => known.user.state,
            },
            roles: roles.into_iter().collect(),
            claims: as_stored(&json!(claims.unwrap_or_default())),
            attributes: as_stored(&json!(attributes.unwrap_or_default())),
            password_hash: entry.password_hash.clone().filter(|_| !had_one),
            email,
        }
    }

    fn plan(self, before: Option<&RegisteredUser>, plan: &mut Plan) {
        let old = before.map(|known| {
            let now = user_entry(known, false);
            told(
                (&known.user.email, &now.name, known.user.email_verified),
                (known.user.state, &known.roles),
                (
                    json!(now.claims.unwrap_or_default()),
                    json!(now.attributes.unwrap_or_default()),
                ),
            )
        });
        let mut new = told(
            (&self.email.display, &self.name, self.email_verified),
            (self.state, &self.roles),
            (self.claims.clone(), self.attributes.clone()),
        );
        if self.password_hash.is_some() {
            new.insert("password_hash".to_owned(), json!("given"));
        }
        let found = differences(old.as_ref(), &new, "");
        if old.is_some() && found.is_empty() {
            return;
        }
        let differs = |members: &[&str]| found.iter().any(|one| members.contains(&one.member.as_str()));
        let profile = differs(&["email", "name", "email_verified", "claims", "attributes"]);
        let (state, roles) = (differs(&["state"]), differs(&["roles"]));
        let action = if before.is_some() {
            Action::Change
        } else {
            Action::Create
        };
        plan.changes.push(Change {
            differences: found,
            ..Change::of(action, "user", &self.email.display)
        });
        plan.steps.push(match before {
            None => RegistryStep::AddUser(self.new_user(), self.state),
            Some(known) => RegistryStep::ChangeUser(UserChange {
                profile: profile.then(|| self.profile()),
                roles: roles.then(|| self.roles.clone()),
                state: state.then_some(self.state),
                password_hash: self.password_hash,
                ..change_of(known)
            }),
        });
    }

    fn profile(&self) -> UserProfile {
        UserProfile {
            email_display: self.email.display.clone(),
            email_verified: self.email_verified,
            name: self.name.clone(),
            claims: self.claims.to_string(),
            attributes: self.attributes.to_string(),
        }
    }

    fn new_user(&self) -> NewUser {
        NewUser {
            sub: self.sub.clone(),
            email_display: self.email.display.clone(),
            email_canonical: self.email.canonical.clone(),
            name: self.name.clone(),
            password_hash: self.password_hash.clone(),
            roles: self.roles.clone(),
            email_verified: self.email_verified,
            claims: self.claims.to_string(),
            attributes: self.attributes.to_string(),
        }
    }
}

fn told(
    (email, name, verified): (&str, &Option<String>, bool),
    (state, roles): (UserState, &[String]),
    (claims, attributes): (Value, Value),
) -> Map<String, Value> {
    let told = json!({
        "email": email, "name": name, "email_verified": verified, "state": state.as_str(), "roles": roles,
        "claims": claims, "attributes": attributes,
    });
    written(told)
}

/// As it will be read again: a long fraction may come back with another last digit.
fn as_stored(told: &Value) -> Value {
    serde_json::from_str(&told.to_string()).unwrap_or_default()
}

fn object(entry: &impl serde::Serialize) -> Map<String, Value> {
    written(serde_json::to_value(entry).unwrap_or_default())
}
