//! Whether what a registry file says can be: by itself, and beside what is registered.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use carnet_server::config::{self, Config};
use carnet_server::email::Email;
use carnet_store::{ClientRow, Registry};
use serde_json::Value;

use super::entry::{ClientEntry, RegistryFile, UserEntry};
use super::place::{Place, Placed};
use super::read::{Fault, fault};
use super::rules;
use crate::failure::Failure;

/// Everything that is wrong with the file that is called `name` in errors, in its order: what could not be read, and what breaks a rule.
pub(crate) fn check(
    config: &Config,
    registry: &Registry,
    (file, unread, name): (&RegistryFile, &[Fault], &str),
) -> Vec<Failure> {
    let listed = file.roles.iter().flatten().map(|role| role.name.as_str());
    let known = registry.roles.iter().map(|role| role.name.as_str());
    let accounts = registry.users.iter().filter_map(|known| {
        let canonical = canonical(&known.user.email)?;
        Some((canonical, known.user.sub.as_str()))
    });
    let mut checked = Checked {
        config,
        registry,
        file,
        roles: listed.chain(known).collect(),
        subs: registry
            .users
            .iter()
            .map(|known| (known.user.sub.as_str(), known.user.email.as_str()))
            .collect(),
        accounts: accounts.collect(),
        faults: Vec::new(),
    };
    checked.roles();
    for client in file.clients.iter().flatten() {
        checked.client(client);
    }
    checked.users();
    let broken = checked.faults.into_iter();
    let broken = broken.map(|(at, failure)| (at, fault(name, at, failure)));
    in_order(unread.iter().cloned().chain(broken))
}

/// Faults in the order of their file.
pub(crate) fn in_order(faults: impl IntoIterator<Item = Fault>) -> Vec<Failure> {
    let mut faults: Vec<Fault> = faults.into_iter().collect();
    faults.sort_by_key(|(at, _)| *at);
    faults.into_iter().map(|(_, failure)| failure).collect()
}

struct Checked<'a> {
    config: &'a Config,
    registry: &'a Registry,
    file: &'a RegistryFile,
    /// Roles that are, or will be.
    roles: BTreeSet<&'a str>,
    /// The address of every `sub`.
    subs: HashMap<&'a str, &'a str>,
    /// The `sub` of every canonical address.
    accounts: HashMap<String, &'a str>,
    faults: Vec<(Place, Failure)>,
}

impl Checked<'_> {
    fn roles(&mut self) {
        for role in self.file.roles.iter().flatten() {
            let flaws = rules::role(
                self.config,
                &role.name,
                &role.permissions,
                role.audience.as_deref(),
            );
            let placed = flaws
                .into_iter()
                .map(|flaw| (role.place_of(flaw.member), flaw.failure));
            self.faults.extend(placed);
        }
    }

    fn client(&mut self, client: &Placed<ClientEntry>) {
        let (id, key) = (&client.registered.id, |name: &str| name.to_owned());
        let is_known = self.registry.clients.iter().any(|row| row.client_id == *id);
        let named = rules::new_client_id(id, &key).filter(|_| !is_known);
        let mut flaws = rules::client(self.config, &client.registered, &key);
        if !client.unread.is_empty() {
            // What hangs on a value that nobody could read is looked at when it can be.
            let decides = |name: &String| ["grant_types", "auth_method"].contains(&name.as_str());
            let all_unclear = client.unread.iter().any(decides);
            flaws.retain(|(member, _)| {
                let written = client.members.contains_key(member) && !client.unread.contains(member);
                member == "id" || (written && !all_unclear)
            });
        }
        let placed = named
            .into_iter()
            .chain(flaws)
            .map(|(member, failure)| (client.place_of(&member), failure));
        self.faults.extend(placed);
        if self.registry.deleted_clients.contains(&client.registered.id) {
            self.faults
                .push((client.place_of("id"), rules::client_taken(&client.registered.id)));
        }
        let itself =
            |row: &&ClientRow| row.client_id == client.registered.id && row.registered_with.is_some();
        if self.registry.clients.iter().any(|row| itself(&row)) {
            let failure = rules::self_registered(&client.registered.id);
            self.faults.push((client.place_of("id"), failure));
        }
        let mut wrong = |member: &str, what: &str, todo: &str| {
            let failure = Failure::refused("client_invalid", format!("{member}: {what}"))
                .because("the server would not use such a client")
                .todo(todo);
            self.faults.push((client.place_of(member), failure));
        };
        let own = &client.own;
        let given = own.secret.is_some() || !own.secret_sha256.is_empty();
        if given && !client.registered.auth_method.has_secret() {
            let member = if own.secret.is_some() {
                "secret"
            } else {
                "secret_sha256"
            };
            wrong(member, "the auth_method takes none", "take it out");
        }
        let short = |secret: &String| secret.len() < config::LEAST_SECRET_BYTES;
        if own.secret.as_ref().is_some_and(short) {
            let what = format!("has fewer than {} bytes", config::LEAST_SECRET_BYTES);
            wrong(
                "secret",
                &what,
                "make one with: carnet password --length 64 --no-symbols",
            );
        }
        if own.secret_sha256.iter().any(|text| digest(text).is_none()) {
            let todo = "make one with: tr -d '\\n' < client.secret | carnet hash --algorithm sha256";
            wrong("secret_sha256", "is no SHA-256 in hex", todo);
        }
    }

    fn users(&mut self) {
        let mut seen: HashMap<String, (Place, &str)> = HashMap::new();
        for user in self.file.users.iter().flatten() {
            self.user(user);
            let Some(email) = Email::parse(&user.email) else {
                continue;
            };
            if let Some((before, spelt)) = seen.insert(email.canonical, (user.at, user.email.as_str()))
                // The very same has been told.
                && spelt != user.email
            {
                let failure = invalid(&format!("email: {} is named twice", user.email))
                    .because(format!("another spelling of it stands on line {}", before.line))
                    .todo("write everything about this user in one table");
                self.faults.push((user.place_of("email"), failure));
            }
        }
    }

    fn user(&mut self, user: &Placed<UserEntry>) {
        let of_another = |email| self.sub_of_another(user, &email);
        let named = rules::email(&user.email).map(of_another);
        let mut wrong = |member: &str, failure: Failure| {
            self.faults.push((user.place_of(member), failure));
        };
        match named {
            Err(failure) => wrong("email", failure),
            Ok(Some(failure)) => wrong("sub", failure),
            Ok(None) => {}
        }
        if let Some(hash) = &user.password_hash
            && let Err(failure) = rules::password_hash(hash)
        {
            wrong("password_hash", failure);
        }
        for (member, told) in [("claims", &user.claims), ("attributes", &user.attributes)] {
            let long = |told: &BTreeMap<String, Value>| {
                serde_json::to_string(told).map_or(0, |text| text.len()) > MOST_BYTES
            };
            if told.as_ref().is_some_and(long) {
                let failure = invalid(&format!("{member}: has more than {MOST_BYTES} bytes as JSON"))
                    .because("what is told of a user travels with requests")
                    .todo("keep it in a database of your own, under the user's sub");
                wrong(member, failure);
            }
        }
        for role in user.roles.iter().flatten() {
            if !self.roles.contains(role.as_str()) {
                let failure = Failure::refused("role_unknown", format!("roles: there is no role {role}"))
                    .because("neither in the file nor in the registry")
                    .todo(format!("add [[roles]] with name = {role:?}"));
                wrong("roles", failure);
            }
        }
    }

    /// A `sub` is given once, and for ever.
    fn sub_of_another(&self, user: &UserEntry, email: &Email) -> Option<Failure> {
        let sub = user.sub.as_deref()?;
        if sub.len() != 22 || carnet_jose::base64url::decode(sub).is_err() {
            let failure = invalid(&format!("sub: {sub:?} is no name of a user in tokens"));
            return Some(
                failure
                    .because("it is 22 characters of base64url, so that no client has the same")
                    .todo("take it out, and one is made"),
            );
        }
        let what = match (self.accounts.get(&email.canonical), self.subs.get(sub)) {
            (Some(own), _) if *own != sub => format!("sub: {} has the sub {own}", user.email),
            (None, Some(other)) => format!("sub: {sub} is that of {other}"),
            _ => return None,
        };
        Some(
            invalid(&what)
                .because("a sub belongs to one account and stays, and an account keeps its address here")
                .todo("take sub out, or write the address that it belongs to"),
        )
    }
}

/// As addresses are compared.
pub(crate) fn canonical(email: &str) -> Option<String> {
    Email::parse(email).map(|email| email.canonical)
}

/// A digest in hex.
pub(crate) fn digest(text: &str) -> Option<[u8; 32]> {
    let bytes = text.as_bytes();
    let mut digest = [0; 32];
    if bytes.len() != 64 || !bytes.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(digest)
}

fn invalid(what: &str) -> Failure {
    Failure::refused("registry_invalid", what)
}

/// The most that claims or attributes have as JSON.
const MOST_BYTES: usize = 4_096;
