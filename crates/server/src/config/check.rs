//! What no single value can know: files that must be readable, secrets that must be private, parts that must fit.

use std::path::Path;

use carnet_oauth::access_token::RESERVED_CLAIMS;

use super::client_id::check_new_ids;
use super::fault::{Fault, fault};
use super::files::{certificates, private, readable};
use super::lifetimes::{check_access_ttl, check_refresh_grace, check_refresh_life};
use super::pages::check_pages;
use super::parties;
use super::redis::{check_redis, unprotected_redis};
use super::registration_policy::check_client_registration;
use super::revocation_feed::check_revocation_feed;
use super::service_clients::check_services;
use super::service_room::check_room;
use super::settings::Config;
use super::trust::check_trusted_issuers;
use super::unheeded;
use super::value::ClaimSource;
use carnet_listen::value::{Listed, Ttl};

use carnet_listen::tls_pair::{Pair, TlsFiles};

/// Something that works but should not surprise anybody later.
pub type Warning = String;

pub(super) fn check(config: &Config) -> Result<Vec<Warning>, Fault> {
    check_listen(config)?;
    check_keys(config)?;
    check_tokens(config)?;
    check_storage(config)?;
    check_passwords(config)?;
    check_log(config)?;
    check_pages(&config.pages)?;
    check_revocation_feed(&config.revocation_feed)?;
    check_redis(&config.redis)?;
    check_sizes(config)?;
    check_services(&config.services)?;
    parties::check_resources(config)?;
    parties::check_clients(config)?;
    check_room(config)?;
    check_trusted_issuers(config)?;
    check_client_registration(config)?;
    check_new_ids(config)?;
    let mut warnings = check_claims(config)?;
    warnings.extend(unheeded::warnings(config));
    warnings.extend(unnamed_proxy(config));
    warnings.extend(unprotected_redis(&config.redis));
    Ok(warnings)
}

/// Somebody must speak TLS in front of us; until that somebody is named, all users share its address.
fn unnamed_proxy(config: &Config) -> Option<Warning> {
    let listen = &config.listen;
    let behind_proxy = config.issuer.is_https() && listen.tls_key_file.is_none();
    let (proxies, by_socket) = (&listen.trusted_proxies, listen.address.tcp().is_none());
    let named = match by_socket {
        true => proxies.contains(&Listed::Unix),
        false => !proxies.is_empty(),
    };
    let (what, write) = match by_socket {
        true => ("does not list \"unix\"", "[\"unix\"]"),
        false => ("is empty", "[\"127.0.0.1\"] when it runs on this machine"),
    };
    (behind_proxy && !named).then(|| {
        format!(
            "listen.trusted_proxies: {what}, so the addresses that your TLS proxy forwards are not believed and all users count as one \
             for throttling; write {write}"
        )
    })
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
    if let (Some(certificate), Some(key)) = (&listen.tls_certificate_file, &listen.tls_key_file) {
        readable("listen.tls_certificate_file", certificate)?;
        private("listen.tls_key_file", key)?;
        usable_pair(certificate, key)?;
    }
    if let Some(all) = listen
        .trusted_proxies
        .iter()
        .find(|network| network.is_too_wide())
    {
        return Err(fault(
            "listen.trusted_proxies",
            format!(
                "{all} is wider than any private network: whoever connects could say that they are somebody else"
            ),
            "name the addresses of your own proxies, such as \"10.0.0.5\" or \"10.0.0.0/24\"",
        ));
    }
    let tls = listen.tls_key_file.is_some();
    if tls && !config.issuer.is_https() {
        return Err(fault(
            "issuer",
            "is http while TLS is on",
            "write the https URL that clients use",
        ));
    }
    if !tls && !listen.address.is_local() && listen.trusted_proxies.is_empty() {
        return Err(fault(
            "listen.address",
            format!(
                "{} is not a loopback address, and nothing encrypts what is sent there",
                listen.address
            ),
            "give tls_certificate_file and tls_key_file, listen on 127.0.0.1 or at a unix socket, or name your TLS proxy in trusted_proxies",
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
    check_access_ttl("tokens.access_ttl", config.tokens.access_ttl)?;
    check_refresh_grace("tokens.refresh_grace", config.tokens.refresh_grace)?;
    check_throttles(config)?;
    let (idle, absolute) = (config.tokens.refresh_idle, config.tokens.refresh_absolute);
    check_refresh_life("tokens.refresh_idle", idle, absolute)
}

fn check_throttles(config: &Config) -> Result<(), Fault> {
    let login = &config.login;
    let (shortest, longest) = (Ttl::seconds(10), Ttl::days(1));
    if !(shortest..=longest).contains(&login.throttle_window) {
        let what = format!("{} is no window to count attempts in", login.throttle_window);
        return Err(fault(
            "login.throttle_window",
            what,
            "write 10s to 1d; \"15m\" is usual",
        ));
    }
    for (key, limit) in [
        (
            "login.attempts_per_account_and_address",
            login.attempts_per_account_and_address,
        ),
        ("login.attempts_per_account", login.attempts_per_account),
        ("login.attempts_per_address", login.attempts_per_address),
        (
            "authorization.requests_per_address",
            config.authorization.requests_per_address,
        ),
        ("device.wrong_codes", config.device.wrong_codes),
    ] {
        if limit == 0 {
            return Err(fault(key, "is 0: nobody could log in", "write 1 or more"));
        }
    }
    Ok(())
}

/// Numbers of which none means that nothing works.
fn check_sizes(config: &Config) -> Result<(), Fault> {
    for (key, size) in [
        ("listen.max_connections", config.listen.max_connections),
        (
            "listen.max_connections_per_address",
            config.listen.max_connections_per_address,
        ),
        ("storage.postgres_pool", config.storage.postgres_pool),
        ("passwords.queue", config.passwords.queue),
    ] {
        if size == 0 {
            return Err(fault(key, "is 0", "write 1 or more"));
        }
    }
    Ok(())
}

fn check_log(config: &Config) -> Result<(), Fault> {
    let todo = "write \"info\", or \"info,carnet_store=debug\"";
    let refuse = |what: String| fault("log.level", what, todo);
    carnet_listen::log_filter(&config.log.level)
        .map(|_| ())
        .map_err(refuse)
}

fn check_storage(config: &Config) -> Result<(), Fault> {
    if let Some(file) = &config.storage.postgres_url_file {
        private("storage.postgres_url_file", file)?;
    }
    if let Some(file) = &config.storage.postgres_root_certificates_file {
        readable("storage.postgres_root_certificates_file", file)?;
    }
    if let Some(file) = &config.outbound.root_certificates_file {
        readable("outbound.root_certificates_file", file)?;
        certificates("outbound.root_certificates_file", file)?;
    }
    if let Some(file) = &config.passwords.breached_list_file {
        readable("passwords.breached_list_file", file)?;
    }
    Ok(())
}

/// One hash may not take more memory than any server has, nor all of them together.
const MOST_HASHING_KIB: u64 = 64 * 1024 * 1024;

fn check_passwords(config: &Config) -> Result<(), Fault> {
    if config.passwords.memory_kib > 1024 * 1024 {
        let what = "more than a gigabyte for one hash";
        return Err(fault("passwords.memory_kib", what, "write 19456 to 1048576"));
    }
    let threads = u64::try_from(config.passwords.threads.max(1)).unwrap_or(u64::MAX);
    if threads > 1_024 || threads * u64::from(config.passwords.memory_kib) > MOST_HASHING_KIB {
        let what = "threads times memory_kib is more than 64 GiB, or there are more than 1,024 threads";
        return Err(fault(
            "passwords",
            what,
            "write threads = 0, which means one for each core",
        ));
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

/// The very thing that the listener will do with them.
fn usable_pair(certificate: &Path, key: &Path) -> Result<(), Fault> {
    let files = TlsFiles {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
    };
    let pair = Pair::read(&files).and_then(|pair| pair.server_config(&files));
    pair.map(|_| ()).map_err(|error| {
        let what = error.to_string();
        let of_the_key = what.starts_with(&key.display().to_string());
        let name = if of_the_key {
            "listen.tls_key_file"
        } else {
            "listen.tls_certificate_file"
        };
        fault(
            name,
            what,
            "name PEM files: the certificate with its chain, and its own key, not encrypted",
        )
    })
}
