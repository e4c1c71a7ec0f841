//! What may be registered: the rules that `carnet client`, `carnet role`, `carnet user` and `carnet apply` share.
//!
//! Spec: RFC 7591 §2 (clients) · RFC 6749 §3.3 (the words of roles follow those of scopes)

use carnet_server::config::{self, Config};
use carnet_server::email::Email;
use carnet_server::password::check_importable;

use crate::failure::Failure;

/// The role whose holders may administer this server.
pub(crate) const ADMINISTRATORS: &str = "admin";

/// A rule that a member breaks.
pub(crate) struct Flaw {
    pub(crate) member: &'static str,
    pub(crate) failure: Failure,
}

/// What is wrong with a role: names that fit into a claim, and an audience that some token has.
pub(crate) fn role(config: &Config, name: &str, permissions: &[String], audience: Option<&str>) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let names = permissions
        .iter()
        .map(|permission| ("permissions", permission.as_str()));
    for (member, text) in std::iter::once(("name", name)).chain(names) {
        if !is_word(text) {
            let failure = Failure::usage(
                "invalid_name",
                format!("{text:?} is no name of a role or permission"),
            )
            .because("names are visible ASCII without space, quote and backslash, 128 characters at most")
            .todo("choose one such as editor or articles:write");
            flaws.push(Flaw { member, failure });
        }
    }
    if let Some(audience) = audience
        && !config
            .resources
            .iter()
            .any(|resource| resource.audience == audience)
    {
        let failure = Failure::usage(
            "unknown_audience",
            format!("no resource has the audience {audience}"),
        )
        .because("the role would be in no token")
        .todo("add [[resources]] to the configuration first");
        flaws.push(Flaw {
            member: "audience",
            failure,
        });
    }
    flaws
}

fn is_word(text: &str) -> bool {
    let visible = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E);
    !text.is_empty() && text.len() <= 128 && text.bytes().all(visible)
}

/// What is wrong with a client that is to be registered; what the server would refuse to use is not.
pub(crate) fn client(
    config: &Config,
    client: &config::Client,
    key: &dyn Fn(&str) -> String,
) -> Vec<(String, Failure)> {
    let mut flaws = Vec::new();
    if is_configured(config, &client.id) {
        flaws.push((key("id"), configured(&client.id)));
    }
    let faults = config::client_faults(config, client, key);
    for fault in faults
        .into_iter()
        .chain(config::registration_faults(config, client, key))
    {
        let failure = Failure::usage("client_invalid", format!("{}: {}", fault.key, fault.what))
            .because("the server would not use such a client")
            .todo(fault.todo);
        flaws.push((fault.key, failure));
    }
    flaws
}

/// What is wrong with the name of a client that is not registered yet.
pub(crate) fn new_client_id(id: &str, key: &dyn Fn(&str) -> String) -> Option<(String, Failure)> {
    let fault = config::new_id_fault(id, key)?;
    let failure = Failure::usage("client_invalid", format!("{}: {}", fault.key, fault.what))
        .because("the names of clients stand in addresses and logs")
        .todo(fault.todo);
    Some((fault.key, failure))
}

/// Whether the bundle of services has room for those of the file and these registered clients, all that there will be.
pub(crate) fn room<'s>(
    config: &Config,
    registered: impl IntoIterator<Item = &'s str>,
) -> Result<(), Failure> {
    let registered: Vec<config::Client> = registered
        .into_iter()
        .filter_map(|settings| serde_json::from_str(settings).ok())
        .collect();
    // The file goes before the store.
    let counting = registered
        .iter()
        .filter(|client| !is_configured(config, &client.id));
    match config::clients_fit(config.issuer.as_str(), config.clients.iter().chain(counting)) {
        true => Ok(()),
        false => Err(Failure::refused(
            "too_many_services",
            "the bundle of services has no room for so many",
        )
        .because("it would be larger than services read; nothing was changed")
        .todo("delete services that are not used: carnet client list")),
    }
}

/// Whether the configuration file has a client of this name.
pub(crate) fn is_configured(config: &Config, id: &str) -> bool {
    config.clients.iter().any(|client| client.id == id)
}

/// A client of the configuration file is changed there.
pub(crate) fn configured(id: &str) -> Failure {
    Failure::conflict(
        "client_configured",
        format!("{id} stands in the configuration file"),
    )
    .because("this command changes the clients of the database")
    .todo("change its [[clients]] table and restart the server")
}

/// A client that registered itself changes its registration itself.
pub(crate) fn self_registered(id: &str) -> Failure {
    Failure::conflict("client_self_registered", format!("{id} has registered itself"))
        .because("it changes its registration itself, and a file would take that back")
        .todo("take it out of the file; to end it: carnet client disable ID, or delete ID")
}

/// The name of a client that is, or was.
pub(crate) fn client_taken(id: &str) -> Failure {
    Failure::conflict("client_taken", format!("there is, or was, a client {id}"))
        .because("the name of a client never belongs to another")
        .todo("choose another")
}

/// A user's address.
pub(crate) fn email(text: &str) -> Result<Email, Failure> {
    Email::parse(text).ok_or_else(|| {
        Failure::usage("invalid_email", format!("{text:?} is no e-mail address"))
            .because("an account is named by one")
            .todo("such as alice@example.com")
    })
}

/// A password hash that another system made.
pub(crate) fn password_hash(hash: &str) -> Result<(), Failure> {
    check_importable(hash).map_err(|why| {
        Failure::usage("hash_unusable", "this hash cannot be used")
            .because(why)
            .todo("give an argon2, bcrypt, scrypt or PBKDF2 hash")
    })
}

/// Somebody must be able to put right what went wrong.
pub(crate) fn last_administrator(todo: &str) -> Failure {
    Failure::refused("last_administrator", "no active administrator would be left")
        .because(format!(
            "nobody who may log in would have the role {ADMINISTRATORS}; nothing was changed"
        ))
        .todo(todo)
}
