//! The part of the plan that is about clients and their secrets.

use std::collections::{BTreeSet, HashMap};

use carnet_jose::primitive;
use carnet_server::config::{self, Config};
use carnet_store::{ClientChange, ClientState, Registry, RegistryStep};
use serde_json::{Value, json};

use super::difference::{Action, Change, Difference, differences, written};
use super::planned::{Made, Plan};
use crate::command::operator::made_password;
use crate::command::registry::rules;
use crate::command::registry::{
    ClientEntry, Placed, RegistryFile, State, client_entry, digest, lasting_secrets,
};
use crate::failure::Failure;

pub(super) fn clients(
    (file, registry): (&RegistryFile, &Registry),
    prune: bool,
    plan: &mut Plan,
) -> Result<(), Failure> {
    for entry in file.clients.iter().flatten() {
        one(entry, registry, plan)?;
    }
    let kept = |id: &str| {
        file.clients
            .iter()
            .flatten()
            .any(|entry| entry.registered.id == id)
    };
    let prune = prune && file.clients.is_some();
    for row in registry
        .clients
        .iter()
        .filter(|row| prune && row.registered_with.is_none() && !kept(&row.client_id))
    {
        plan.changes
            .push(Change::of(Action::Delete, "client", &row.client_id));
        plan.steps.push(RegistryStep::ChangeClient(ClientChange {
            client_id: row.client_id.clone(),
            state: Some(ClientState::Deleted),
            ..ClientChange::default()
        }));
    }
    Ok(())
}

/// Whether the bundle of services has room for those that there will be, when services come or change.
pub(super) fn room(config: &Config, registry: &Registry, plan: &Plan) -> Result<(), Failure> {
    let changes = plan.steps.iter().filter_map(|step| match step {
        RegistryStep::AddClient(change) | RegistryStep::ChangeClient(change) => Some(change),
        _ => None,
    });
    let changes: HashMap<&str, &ClientChange> = changes
        .map(|change| (change.client_id.as_str(), change))
        .collect();
    let written = || changes.values().filter_map(|change| change.settings.as_deref());
    if !written().any(is_service) {
        return Ok(());
    }
    let stays = registry.clients.iter().filter(|row| {
        let change = changes.get(row.client_id.as_str());
        change.is_none_or(|change| change.settings.is_none() && change.state != Some(ClientState::Deleted))
    });
    rules::room(config, stays.map(|row| row.settings.as_str()).chain(written()))
}

fn is_service(settings: &str) -> bool {
    let client: Result<config::Client, _> = serde_json::from_str(settings);
    client.is_ok_and(|client| client.service)
}

fn one(entry: &Placed<ClientEntry>, registry: &Registry, plan: &mut Plan) -> Result<(), Failure> {
    let id = &entry.registered.id;
    let known = registry.clients.iter().find(|row| row.client_id == *id);
    let before = match known {
        Some(_) => Some(client_entry(registry, id, false)?.registered),
        None => None,
    };
    let new = object(&entry.registered)?;
    let old = before.as_ref().map(object).transpose()?;
    let mut found = differences(old.as_ref(), &new, "id");
    let settings = (!found.is_empty() || known.is_none())
        .then(|| serde_json::to_string(&entry.registered))
        .transpose();
    let settings = settings.map_err(|error| Failure::broken(error.to_string()))?;
    let secrets = secrets(entry, registry, plan)?;
    if let Some((_, difference)) = &secrets {
        found.push(difference.clone());
    }
    let now = known.map_or(ClientState::Active, |row| row.state);
    let state = entry.own.state.map(in_the_store).filter(|state| *state != now);
    if let Some(state) = state {
        found.push(Difference {
            member: "state".to_owned(),
            old: known.map(|row| json!(row.state.as_str())),
            new: Some(json!(state.as_str())),
        });
    }
    if known.is_some() && found.is_empty() {
        return Ok(());
    }
    plan.enabled
        .extend(known.filter(|_| state == Some(ClientState::Active)).cloned());
    let action = if known.is_some() {
        Action::Change
    } else {
        Action::Create
    };
    plan.changes.push(Change {
        differences: found,
        ..Change::of(action, "client", id)
    });
    let change = ClientChange {
        client_id: id.clone(),
        settings,
        secrets: secrets.map(|(digests, _)| digests),
        state,
    };
    plan.steps.push(match known {
        Some(_) => RegistryStep::ChangeClient(change),
        None => RegistryStep::AddClient(change),
    });
    Ok(())
}

/// Digests, and what is said of them.
type Secrets = (Vec<[u8; 32]>, Difference);

/// The digests that shall count, when they are others than now, and what is said of it.
fn secrets(
    entry: &Placed<ClientEntry>,
    registry: &Registry,
    plan: &mut Plan,
) -> Result<Option<Secrets>, Failure> {
    let id = &entry.registered.id;
    let lasting: BTreeSet<[u8; 32]> = lasting_secrets(registry, id)
        .into_iter()
        .filter_map(|digest| digest.try_into().ok())
        .collect();
    let plain = entry.own.secret.as_ref();
    let mut wanted: BTreeSet<[u8; 32]> = plain
        .map(|secret| primitive::sha256(secret.as_bytes()))
        .into_iter()
        .collect();
    wanted.extend(entry.own.secret_sha256.iter().filter_map(|text| digest(text)));
    let needs = entry.registered.auth_method.has_secret();
    let said = match (needs, wanted.is_empty(), lasting.is_empty()) {
        (false, _, true) => return Ok(None),
        (false, _, false) => {
            wanted.clear();
            "none".to_owned()
        }
        (true, true, true) => {
            let secret = made_password()?;
            wanted.insert(primitive::sha256(secret.as_bytes()));
            plan.made.push(Made {
                client_id: id.clone(),
                secret,
            });
            "one that is made and shown once".to_owned()
        }
        // Not said: they stay.
        (true, true, false) => return Ok(None),
        (true, false, _) if wanted == lasting => return Ok(None),
        (true, false, true) => format!("{} given", wanted.len()),
        (true, false, false) => {
            let (fresh, ended) = (
                wanted.difference(&lasting).count(),
                lasting.difference(&wanted).count(),
            );
            format!("{}, {fresh} of them new; {ended} end at once", wanted.len())
        }
    };
    let difference = Difference {
        member: "secrets".to_owned(),
        old: (!lasting.is_empty()).then(|| json!(lasting.len())),
        new: Some(json!(said)),
    };
    Ok(Some((wanted.into_iter().collect(), difference)))
}

fn object(client: &config::Client) -> Result<serde_json::Map<String, Value>, Failure> {
    let value = serde_json::to_value(client).map_err(|error| Failure::broken(error.to_string()))?;
    Ok(written(value))
}

fn in_the_store(state: State) -> ClientState {
    match state {
        State::Active => ClientState::Active,
        State::Disabled => ClientState::Disabled,
    }
}
