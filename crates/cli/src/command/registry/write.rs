//! Writing a registry file: what is registered, in the form in which it is read.

use carnet_server::config;
use carnet_store::{ClientState, RegisteredUser, Registry, Role, UserState};
use serde_json::{Map, Value};

use super::entry::{ClientEntry, ClientOwn, Entry as _, RoleEntry, State, UserEntry, members};
use crate::failure::Failure;

/// The registry as entries: `roles`, `clients` and `users`, each a list of JSON objects.
pub(crate) fn exported(registry: &Registry, with_hashes: bool) -> Result<Map<String, Value>, Failure> {
    let roles = registry.roles.iter().map(|role| value(&role_entry(role)));
    // Who registered itself manages itself: no file has a say in it.
    let ours = registry
        .clients
        .iter()
        .filter(|row| row.registered_with.is_none());
    let clients = ours.map(|row| {
        let client = client_entry(registry, &row.client_id, with_hashes)?;
        let mut all = members(value(&client.registered)?);
        all.extend(members(value(&client.own)?));
        Ok(Value::Object(all))
    });
    let users = registry
        .users
        .iter()
        .map(|user| value(&user_entry(user, with_hashes)));
    Ok(Map::from_iter([
        (RoleEntry::KIND.to_owned(), roles.collect::<Result<_, _>>()?),
        (
            ClientEntry::KIND.to_owned(),
            clients.collect::<Result<_, Failure>>()?,
        ),
        (UserEntry::KIND.to_owned(), users.collect::<Result<_, _>>()?),
    ]))
}

/// The same as a TOML file.
pub(crate) fn text(exported: &Map<String, Value>) -> Result<String, Failure> {
    let mut text = String::from(HEADING);
    for (kind, first) in [
        (RoleEntry::KIND, RoleEntry::NAME),
        (ClientEntry::KIND, ClientEntry::NAME),
        (UserEntry::KIND, UserEntry::NAME),
    ] {
        let list = exported.get(kind).and_then(Value::as_array);
        let list = list.map(Vec::as_slice).unwrap_or_default();
        if list.is_empty() {
            // Bare keys stand before every table.
            text.insert_str(HEADING.len(), &format!("{kind} = []\n"));
        }
        for entry in list {
            text.push_str(&format!("\n[[{kind}]]\n"));
            let entry = members(entry.clone());
            let named = entry.iter().filter(|(name, _)| *name == first);
            for (name, value) in named.chain(entry.iter().filter(|(name, _)| *name != first)) {
                text.push_str(&format!("{name} = {}\n", toml_value(name, value)?));
            }
        }
    }
    Ok(text)
}

fn toml_value(name: &str, value: &Value) -> Result<toml::Value, Failure> {
    toml::Value::try_from(value).map_err(|error| {
        Failure::refused(
            "export_impossible",
            format!("{name} holds what TOML cannot write"),
        )
        .because(error.to_string())
        .todo("take the registry as JSON: carnet --json export")
    })
}

fn value(entry: &impl serde::Serialize) -> Result<Value, Failure> {
    serde_json::to_value(entry).map_err(|error| Failure::broken(error.to_string()))
}

/// A role as a file says it.
pub(crate) fn role_entry(role: &Role) -> RoleEntry {
    RoleEntry {
        name: role.name.clone(),
        description: role.description.clone(),
        audience: role.audience.clone(),
        permissions: role.permissions.clone(),
    }
}

/// A client as a file says it. Only what is not usual is said of its state: a file that is kept would otherwise enable whom somebody
/// has disabled in a hurry.
pub(crate) fn client_entry(registry: &Registry, id: &str, with_hashes: bool) -> Result<ClientEntry, Failure> {
    let row = registry.clients.iter().find(|row| row.client_id == id);
    let row = row.ok_or_else(|| Failure::broken(format!("the client {id} is gone")))?;
    let registered: config::Client = serde_json::from_str(&row.settings)
        .map_err(|error| Failure::broken(format!("the registration of {id} cannot be read: {error}")))?;
    let secrets = lasting_secrets(registry, id);
    let hex = |digest: &[u8]| digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(ClientEntry {
        registered,
        own: ClientOwn {
            state: (row.state == ClientState::Disabled).then_some(State::Disabled),
            secret: None,
            secret_sha256: match with_hashes {
                true => secrets.into_iter().map(hex).collect(),
                false => Vec::new(),
            },
        },
    })
}

/// The digests of a client's secrets that count without an end, sorted.
pub(crate) fn lasting_secrets<'a>(registry: &'a Registry, id: &str) -> Vec<&'a [u8]> {
    let own = registry.secrets.iter().filter(|secret| secret.client_id == id);
    let lasting = own.filter(|secret| secret.expires_at.is_none());
    let mut digests: Vec<&[u8]> = lasting.map(|secret| secret.digest.as_slice()).collect();
    digests.sort_unstable();
    digests
}

/// A user as a file says it.
pub(crate) fn user_entry(known: &RegisteredUser, with_hashes: bool) -> UserEntry {
    let user = &known.user;
    let object = |text: &str| {
        let told = members(serde_json::from_str(text).unwrap_or_default());
        (!told.is_empty()).then(|| told.into_iter().collect())
    };
    UserEntry {
        email: user.email.clone(),
        sub: Some(user.sub.clone()),
        name: user.name.clone(),
        email_verified: Some(user.email_verified),
        state: (user.state == UserState::Disabled).then_some(State::Disabled),
        roles: Some(known.roles.clone()),
        password_hash: known.password_hash.clone().filter(|_| with_hashes),
        claims: object(&user.claims),
        attributes: object(&user.attributes),
    }
}

const HEADING: &str = "\
# What is registered, as `carnet apply` reads it; docs/apply.md explains every member.
# Resources and the clients of the configuration file are not here.
";
