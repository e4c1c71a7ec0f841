//! What stands in a registry file: a role, a client, a user.

use std::collections::BTreeMap;

use carnet_server::config;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::place::Placed;

/// A registry file. A kind that it does not name at all is `None`, and is left alone.
#[derive(Default)]
pub(crate) struct RegistryFile {
    pub(crate) roles: Option<Vec<Placed<RoleEntry>>>,
    pub(crate) clients: Option<Vec<Placed<ClientEntry>>>,
    pub(crate) users: Option<Vec<Placed<UserEntry>>>,
}

/// Something that a file may list.
pub(crate) trait Entry: Sized {
    /// The table's name.
    const KIND: &'static str;
    /// The member that names one.
    const NAME: &'static str;

    /// Reads one.
    fn from_table(table: toml::Table) -> Result<Self, toml::de::Error>;
}

/// `[[roles]]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleEntry {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) audience: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) permissions: Vec<String>,
}

impl Entry for RoleEntry {
    const KIND: &'static str = "roles";
    const NAME: &'static str = "name";

    fn from_table(table: toml::Table) -> Result<Self, toml::de::Error> {
        toml::Value::Table(table).try_into()
    }
}

/// Whether a client or a user may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Active,
    Disabled,
}

/// `[[clients]]`: what a client of the configuration says, and what only a registered one has.
pub(crate) struct ClientEntry {
    pub(crate) registered: config::Client,
    pub(crate) own: ClientOwn,
}

/// What only a registered client has.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientOwn {
    /// As it is when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<State>,
    /// The secret itself. Never written by us.
    #[serde(default, skip_serializing)]
    pub(crate) secret: Option<String>,
    /// SHA-256 of secrets, in hex.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) secret_sha256: Vec<String>,
}

const OF_THE_REGISTERED: [&str; 3] = ["state", "secret", "secret_sha256"];

impl Entry for ClientEntry {
    const KIND: &'static str = "clients";
    const NAME: &'static str = "id";

    fn from_table(table: toml::Table) -> Result<Self, toml::de::Error> {
        let (own, registered): (toml::Table, toml::Table) = table
            .into_iter()
            .partition(|(name, _)| OF_THE_REGISTERED.contains(&name.as_str()));
        Ok(Self {
            registered: toml::Value::Table(registered).try_into()?,
            own: toml::Value::Table(own).try_into()?,
        })
    }
}

/// `[[users]]`: what is left out stays as it is.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserEntry {
    pub(crate) email: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sub: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) email_verified: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<State>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) roles: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password_hash: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) claims: Option<BTreeMap<String, Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) attributes: Option<BTreeMap<String, Value>>,
}

impl Entry for UserEntry {
    const KIND: &'static str = "users";
    const NAME: &'static str = "email";

    fn from_table(table: toml::Table) -> Result<Self, toml::de::Error> {
        toml::Value::Table(table).try_into()
    }
}

/// The members of a JSON object, without those that are null: TOML has no null, and none of ours means anything.
pub(crate) fn members(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else {
        return Map::new();
    };
    let written = members.into_iter().filter(|(_, value)| !value.is_null());
    written.map(|(name, value)| (name, without_null(value))).collect()
}

fn without_null(value: Value) -> Value {
    match value {
        Value::Object(_) => Value::Object(members(value)),
        Value::Array(items) => {
            let some = items.into_iter().filter(|item| !item.is_null());
            Value::Array(some.map(without_null).collect())
        }
        other => other,
    }
}
