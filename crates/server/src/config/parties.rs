//! Who takes part: the APIs that tokens are for, and the clients that ask for tokens.

use std::path::Path;

use carnet_jose::{Algorithm, AnyVerifyingKey};

use super::fault::{Fault, fault};
use super::settings::{Config, Resource};
use crate::secret_file;

pub(super) fn check_resources(config: &Config) -> Result<(), Fault> {
    if config.resources.is_empty() {
        return Err(fault(
            "resources",
            "is empty: tokens are always for an API",
            "add [[resources]] with an audience",
        ));
    }
    let mut ids = Vec::new();
    for (i, resource) in config.resources.iter().enumerate() {
        let key = |name: &str| format!("resources.{i}.{name}");
        let others = config
            .resources
            .iter()
            .filter(|other| other.audience == resource.audience)
            .count();
        if resource.audience.is_empty() || others > 1 {
            return Err(fault(
                &key("audience"),
                "is empty, or named twice",
                "give each resource its own URL",
            ));
        }
        check_signing(config, resource, &key)?;
        match (&resource.introspection_id, &resource.introspection_secret_file) {
            (None, None) => {}
            (Some(id), Some(file)) => {
                secret_of(&key("introspection_secret_file"), file, 16)?;
                if ids.contains(&id) {
                    return Err(fault(
                        &key("introspection_id"),
                        "is named twice",
                        "give each resource its own name",
                    ));
                }
                ids.push(id);
            }
            _ => {
                return Err(fault(
                    &key("introspection_id"),
                    "a name without its secret, or the other way round",
                    "give both",
                ));
            }
        }
    }
    Ok(())
}

fn check_signing(config: &Config, resource: &Resource, key: &dyn Fn(&str) -> String) -> Result<(), Fault> {
    match (&resource.secret_file, resource.signing.is_mac()) {
        (Some(file), true) => check_shared_secret(&key("secret_file"), file, resource.signing),
        (None, true) => {
            let todo = "give secret_file; make one with: carnet password --length 64 > api.secret && chmod 600 api.secret";
            Err(fault(
                &key("signing"),
                format!("{} needs a shared secret", resource.signing.name()),
                todo,
            ))
        }
        (Some(_), false) => {
            let todo = "take secret_file out, or write signing = \"HS256\"";
            Err(fault(
                &key("secret_file"),
                format!("{} signs with keys of its own", resource.signing.name()),
                todo,
            ))
        }
        (None, false) if !config.keys.algorithms.contains(&resource.signing) => {
            let what = format!("no key is kept for {}", resource.signing.name());
            Err(fault(
                &key("signing"),
                what,
                format!("add {:?} to keys.algorithms", resource.signing.name()),
            ))
        }
        (None, false) => Ok(()),
    }
}

fn check_shared_secret(key: &str, file: &Path, algorithm: Algorithm) -> Result<(), Fault> {
    let secret = secret_of(key, file, 1)?;
    AnyVerifyingKey::from_secret(&secret, algorithm)
        .map(|_| ())
        .map_err(|error| {
            let todo = "make one with: carnet password --length 64 > api.secret && chmod 600 api.secret";
            fault(key, format!("{}: {error}", file.display()), todo)
        })
}

pub(super) fn check_clients(config: &Config) -> Result<(), Fault> {
    let known = |audience: &String| {
        config
            .resources
            .iter()
            .any(|resource| resource.audience == *audience)
    };
    if config
        .first_party
        .audience
        .as_ref()
        .is_some_and(|audience| !known(audience))
    {
        return Err(fault(
            "first_party.audience",
            "is no audience of [[resources]]",
            "add the resource, or name another",
        ));
    }
    check_origins("first_party.origins", &config.first_party.origins)?;
    for (i, client) in config.clients.iter().enumerate() {
        let key = |name: &str| format!("clients.{i}.{name}");
        let namesakes = config
            .clients
            .iter()
            .filter(|other| other.id == client.id)
            .count();
        if client.id.is_empty() || client.id == "first-party" || namesakes > 1 {
            return Err(fault(
                &key("id"),
                "is empty, named twice, or \"first-party\", which is built in",
                "choose another",
            ));
        }
        if !client.id.bytes().all(|byte| (0x21..=0x7e).contains(&byte)) || client.id.len() > 128 {
            return Err(fault(
                &key("id"),
                "is not visible ASCII of 128 characters at most",
                "choose another",
            ));
        }
        if !client.audiences.iter().all(known) {
            return Err(fault(
                &key("audiences"),
                "names an audience that no [[resources]] has",
                "add the resource",
            ));
        }
        check_origins(&key("origins"), &client.origins)?;
    }
    Ok(())
}

fn check_origins(key: &str, origins: &[String]) -> Result<(), Fault> {
    for origin in origins {
        let exact = url::Url::parse(origin)
            .ok()
            .map(|url| url.origin().ascii_serialization());
        if exact.as_deref() != Some(origin.as_str()) || !origin.starts_with("http") {
            let todo = exact
                .filter(|o| o != "null")
                .unwrap_or_else(|| "https://app.example.com".to_owned());
            return Err(fault(
                key,
                format!("{origin:?} is not as browsers write an origin"),
                format!("write {todo:?}"),
            ));
        }
    }
    Ok(())
}

fn secret_of(key: &str, file: &Path, least: usize) -> Result<zeroize::Zeroizing<Vec<u8>>, Fault> {
    let secret = secret_file::read(file)
        .map_err(|error| fault(key, format!("{}: {}", file.display(), error.what), error.todo))?;
    if secret.len() < least {
        let what = format!("{} holds fewer than {least} bytes", file.display());
        return Err(fault(key, what, "make one with: carnet password --length 64"));
    }
    Ok(secret)
}
