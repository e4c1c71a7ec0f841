//! What no single value can know: files that must be readable, secrets that must be private, parts that must fit.

use std::path::Path;

use carnet_jose::{Algorithm, AnyVerifyingKey};
use carnet_oauth::access_token::RESERVED_CLAIMS;

use super::settings::{Config, Resource};
use super::value::{ClaimSource, Ttl};
use crate::secret_file;

/// Something that works but should not surprise anybody later.
pub type Warning = String;

/// A key, what is wrong with it, and what to write instead.
pub(super) struct Fault {
    pub(super) key: String,
    pub(super) what: String,
    pub(super) todo: String,
}

fn fault(key: &str, what: impl Into<String>, todo: impl Into<String>) -> Fault {
    Fault {
        key: key.to_owned(),
        what: what.into(),
        todo: todo.into(),
    }
}

pub(super) fn check(config: &Config) -> Result<Vec<Warning>, Fault> {
    check_listen(config)?;
    check_keys(config)?;
    check_tokens(config)?;
    check_storage(config)?;
    check_resources(config)?;
    check_clients(config)?;
    check_claims(config)
}

fn check_listen(config: &Config) -> Result<(), Fault> {
    let listen = &config.listen;
    if listen.tls_certificate_file.is_some() != listen.tls_key_file.is_some() {
        let todo = "give listen.tls_certificate_file and listen.tls_key_file together";
        return Err(fault(
            "listen",
            "a certificate without its key, or a key without its certificate",
            todo,
        ));
    }
    if let Some(file) = &listen.tls_certificate_file {
        readable("listen.tls_certificate_file", file)?;
    }
    if let Some(file) = &listen.tls_key_file {
        private("listen.tls_key_file", file)?;
    }
    let tls = listen.tls_key_file.is_some();
    if tls && !config.issuer.is_https() {
        return Err(fault(
            "issuer",
            "is http while TLS is on",
            "write the https URL that clients use",
        ));
    }
    if !tls && !listen.address.ip().is_loopback() && listen.trusted_proxies.is_empty() {
        return Err(fault(
            "listen.address",
            format!(
                "{} is not a loopback address, and nothing encrypts what is sent there",
                listen.address
            ),
            "give tls_certificate_file and tls_key_file, listen on 127.0.0.1, or name your TLS proxy in trusted_proxies",
        ));
    }
    Ok(())
}

fn check_keys(config: &Config) -> Result<(), Fault> {
    if config.keys.algorithms.is_empty() {
        return Err(fault("keys.algorithms", "is empty", "write [\"ES256\"]"));
    }
    if let Some(mac) = config.keys.algorithms.iter().find(|algorithm| algorithm.is_mac()) {
        let what = format!(
            "{} is no signature: everybody who can check it can forge it",
            mac.name()
        );
        return Err(fault(
            "keys.algorithms",
            what,
            "write ES256 here, and signing = \"HS256\" with a secret_file at the one resource",
        ));
    }
    if config.keys.rotate_every <= config.keys.jwks_max_age {
        return Err(fault(
            "keys.rotate_every",
            "is not longer than keys.jwks_max_age",
            "write a longer time, such as \"90d\"",
        ));
    }
    if config.keys.master_key_file.exists() {
        private("keys.master_key_file", &config.keys.master_key_file)?;
    }
    Ok(())
}

fn check_tokens(config: &Config) -> Result<(), Fault> {
    let clients = config.clients.iter().enumerate();
    let lifetimes = clients
        .clone()
        .filter_map(|(i, client)| Some((format!("clients.{i}.access_ttl"), client.access_ttl?)));
    for (key, ttl) in lifetimes.chain([("tokens.access_ttl".to_owned(), config.tokens.access_ttl)]) {
        if ttl.as_seconds() == 0 || ttl > Ttl::days(1) {
            return Err(fault(
                &key,
                format!("{ttl} is no life for an access token"),
                "write 1s to 1d; \"15m\" is usual",
            ));
        }
    }
    let graces =
        clients.filter_map(|(i, client)| Some((format!("clients.{i}.refresh_grace"), client.refresh_grace?)));
    for (key, grace) in graces.chain([("tokens.refresh_grace".to_owned(), config.tokens.refresh_grace)]) {
        if grace > Ttl::seconds(60) {
            return Err(fault(
                &key,
                format!("{grace} gives a thief too much time"),
                "write 0s to 60s",
            ));
        }
    }
    let (idle, absolute) = (config.tokens.refresh_idle, config.tokens.refresh_absolute);
    if idle.as_seconds() == 0 || idle > absolute {
        return Err(fault(
            "tokens.refresh_idle",
            "must be at least a second and at most refresh_absolute",
            "write \"7d\"",
        ));
    }
    Ok(())
}

fn check_storage(config: &Config) -> Result<(), Fault> {
    if let Some(file) = &config.storage.postgres_url_file {
        private("storage.postgres_url_file", file)?;
    }
    if let Some(file) = &config.storage.postgres_root_certificates_file {
        readable("storage.postgres_root_certificates_file", file)?;
    }
    if let Some(file) = &config.passwords.breached_list_file {
        readable("passwords.breached_list_file", file)?;
    }
    if config.passwords.memory_kib < 19_456
        || config.passwords.iterations < 2
        || config.passwords.parallelism < 1
    {
        let todo = "write memory_kib = 19456, iterations = 2, parallelism = 1, or more";
        return Err(fault(
            "passwords",
            "hashing is weaker than 19 MiB and two passes",
            todo,
        ));
    }
    Ok(())
}

fn check_resources(config: &Config) -> Result<(), Fault> {
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

fn check_clients(config: &Config) -> Result<(), Fault> {
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

const NEVER_IN_A_TOKEN: [&str; 7] = [
    "password",
    "passwd",
    "secret",
    "card",
    "cvv",
    "iban",
    "private_key",
];

fn check_claims(config: &Config) -> Result<Vec<Warning>, Fault> {
    let mut warnings = Vec::new();
    for (name, source) in &config.tokens.claims {
        let key = format!("tokens.claims.{name}");
        let own_role = name == "role" && *source == ClaimSource::Role;
        let own_verdict = name == "email_verified" && *source == ClaimSource::EmailVerified;
        if RESERVED_CLAIMS.contains(&name.as_str()) && !own_role && !own_verdict {
            return Err(fault(
                &key,
                "decides about access, so no mapping may set it",
                "choose another name",
            ));
        }
        let lower = format!("{name} {source}").to_ascii_lowercase();
        if NEVER_IN_A_TOKEN.iter().any(|word| lower.contains(word)) {
            return Err(fault(
                &key,
                "everybody who holds a token can read it",
                "keep this out of tokens",
            ));
        }
        if matches!(
            source,
            ClaimSource::Email | ClaimSource::Name | ClaimSource::Attribute(_)
        ) {
            warnings.push(format!(
                "{key}: personal data ({source}) will be readable in every access token"
            ));
        }
    }
    Ok(warnings)
}

fn readable(key: &str, file: &Path) -> Result<(), Fault> {
    let todo = "name a file that this user can read";
    std::fs::File::open(file)
        .map(|_| ())
        .map_err(|error| fault(key, format!("{}: {error}", file.display()), todo))
}

fn private(key: &str, file: &Path) -> Result<(), Fault> {
    secret_file::check(file)
        .map_err(|error| fault(key, format!("{}: {}", file.display(), error.what), error.todo))
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
