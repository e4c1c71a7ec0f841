//! Who takes part: the APIs that tokens are for, and the clients that ask for tokens.

use std::path::Path;

use carnet_jose::{Algorithm, AnyVerifyingKey};
use carnet_oauth::client_auth::AuthMethod;
use carnet_oauth::grant_type::GrantType;
use carnet_oauth::{plain_uri, redirect_uri, unseen};

use super::client::{Client, DpopPolicy, LEAST_SECRET_BYTES};
use super::client_id::check_id;
use super::client_tokens::{check_client_tokens, published};
use super::client_uri::check_keys_place;
use super::fault::{Fault, fault};
use super::lifetimes::check_access_ttl;
use super::logout::check_logout;
use super::resource::Resource;
use super::service_clients::check_service;
use super::settings::Config;
use carnet_listen::secret_file;

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
        if resource.audience.is_empty() {
            let todo = "name the API by its URL, as it stands in `aud`";
            return Err(fault(&key("audience"), "is empty", todo));
        }
        // The second is the one that was added.
        let before = config.resources.iter().take(i);
        if before
            .map(|other| &other.audience)
            .any(|known| *known == resource.audience)
        {
            let what = format!("{} has a [[resources]] table already", resource.audience);
            let todo = "write everything about it in one table";
            return Err(fault(&key("audience"), what, todo));
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
    let signing = resource.signing();
    match (&resource.secret_file, signing.is_mac()) {
        (Some(file), true) => check_shared_secret(&key("secret_file"), file, signing),
        (None, true) => {
            let todo = "give secret_file; make one with: carnet password --length 64 > api.secret && chmod 600 api.secret";
            Err(fault(
                &key("signing"),
                format!("{} needs a shared secret", signing.name()),
                todo,
            ))
        }
        (Some(_), false) => {
            let todo = "take secret_file out, or write signing = \"HS256\"";
            Err(fault(
                &key("secret_file"),
                format!("{} signs with keys of its own", signing.name()),
                todo,
            ))
        }
        (None, false) if !config.keys.algorithms.contains(&signing) => {
            let what = format!("no key is kept for {}", signing.name());
            Err(fault(
                &key("signing"),
                what,
                format!("add {:?} to keys.algorithms", signing.name()),
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
        if config.clients.iter().take(i).any(|before| before.id == client.id) {
            return Err(fault(&key("id"), "is named twice", "choose another"));
        }
        check_client(config, client, &key)?;
        check_client_files(client, &key)?;
    }
    Ok(())
}

/// Whether a client fits: its settings to each other, and to the resources. Files are not looked at.
pub fn check_client(config: &Config, client: &Client, key: &dyn Fn(&str) -> String) -> Result<(), Fault> {
    client_faults(config, client, key)
        .into_iter()
        .next()
        .map_or(Ok(()), Err)
}

/// As [`check_client`], with everything that is wrong.
pub fn client_faults(config: &Config, client: &Client, key: &dyn Fn(&str) -> String) -> Vec<Fault> {
    let access_ttl = client.access_ttl;
    let checks = [
        check_id(client, key),
        check_shown(client, key),
        check_audiences(config, client, key),
        check_origins(&key("origins"), &client.origins),
        access_ttl.map_or(Ok(()), |ttl| check_access_ttl(&key("access_ttl"), ttl)),
        check_grant_types(client, key),
        check_own_name(client, key),
        check_service(client, key),
        check_logout(config, client, key),
        check_addresses(&key("redirect_uris"), &client.redirect_uris),
        check_addresses(
            &key("post_logout_redirect_uris"),
            &client.post_logout_redirect_uris,
        ),
        published(config, client.id_token_signing, &key("id_token_signing")),
        check_client_tokens(config, client, key),
        check_keys_place(config, client, key),
    ];
    checks.into_iter().filter_map(Result::err).collect()
}

fn check_audiences(config: &Config, client: &Client, key: &dyn Fn(&str) -> String) -> Result<(), Fault> {
    let known = |audience: &String| {
        config
            .resources
            .iter()
            .any(|resource| resource.audience == *audience)
    };
    for (name, audiences) in [
        ("audiences", &client.audiences),
        ("exchange_audiences", &client.exchange_audiences),
    ] {
        if !audiences.iter().all(known) {
            let what = "names an audience that no [[resources]] has";
            return Err(fault(&key(name), what, "add the resource"));
        }
    }
    Ok(())
}

fn check_addresses(key: &str, uris: &[String]) -> Result<(), Fault> {
    for uri in uris {
        redirect_uri::check(uri).map_err(|todo| fault(key, format!("{uri:?} cannot be one"), todo))?;
    }
    Ok(())
}

/// What people are shown: nothing that turns the text around or leads off https (CN-04).
fn check_shown(client: &Client, key: &dyn Fn(&str) -> String) -> Result<(), Fault> {
    let odd = |name: &String| name.chars().count() > 100 || !unseen::is_readable(name);
    if client.name.iter().chain(client.names.values()).any(odd) {
        let what = "has no letter, is longer than 100 characters, or has characters that cannot be seen";
        return Err(fault(&key("name"), what, "write it in plain letters"));
    }
    let addresses = [
        ("uri", &client.uri),
        ("logo_uri", &client.logo_uri),
        ("policy_uri", &client.policy_uri),
        ("tos_uri", &client.tos_uri),
    ];
    for (name, address) in addresses {
        let sound = |address: &String| plain_uri::read_link(address).is_some();
        if !address.as_ref().is_none_or(sound) {
            return Err(fault(
                &key(name),
                "is no https URL",
                "write https://… in ASCII, without a user name",
            ));
        }
    }
    Ok(())
}

/// Who asks in its own name must be able to prove it.
fn check_own_name(client: &Client, key: &dyn Fn(&str) -> String) -> Result<(), Fault> {
    let may = |grant_type| client.grant_types.contains(&grant_type);
    for grant_type in [
        GrantType::ClientCredentials,
        GrantType::TokenExchange,
        GrantType::JwtBearer,
    ] {
        if may(grant_type) && client.auth_method == AuthMethod::None {
            let what = format!(
                "{} needs a client that can prove who it is",
                grant_type.short_name()
            );
            let todo = "write auth_method = \"client_secret_basic\", which comes with a secret, or \"private_key_jwt\"";
            return Err(fault(&key("grant_types"), what, todo));
        }
    }
    if !client.exchange_audiences.is_empty() && !may(GrantType::TokenExchange) {
        let what = "is about token_exchange, which the client may not";
        let todo = "add \"token_exchange\" to grant_types";
        return Err(fault(&key("exchange_audiences"), what, todo));
    }
    Ok(())
}

/// What a client asks with, and how it proves who it is, belong together.
fn check_grant_types(client: &Client, key: &dyn Fn(&str) -> String) -> Result<(), Fault> {
    let may = |grant_type| client.grant_types.contains(&grant_type);
    let public = client.auth_method == AuthMethod::None;
    let wrong = |name: &str, what: &str, todo: &str| Err(fault(&key(name), what, todo));
    if client.grant_types.is_empty() && !public {
        return wrong(
            "auth_method",
            "is for the token endpoint, and no grant type leads there",
            "add grant_types",
        );
    }
    if client.grant_types.is_empty() && client.dpop == DpopPolicy::Required {
        return wrong(
            "dpop",
            "is for the token endpoint, and no grant type leads there",
            "add grant_types",
        );
    }
    if may(GrantType::AuthorizationCode) && client.redirect_uris.is_empty() {
        return wrong(
            "redirect_uris",
            "is empty: a code would have nowhere to go",
            "add the URI of the app's callback",
        );
    }
    let logs_in = may(GrantType::AuthorizationCode) || may(GrantType::DeviceCode);
    if may(GrantType::RefreshToken) && !logs_in {
        return wrong(
            "grant_types",
            "refresh_token alone leads nowhere",
            "add \"authorization_code\" or \"device_code\"",
        );
    }
    if !client.require_pkce && public {
        return wrong(
            "require_pkce",
            "a public client has nothing but PKCE",
            "take it out",
        );
    }
    Ok(())
}

fn check_client_files(client: &Client, key: &dyn Fn(&str) -> String) -> Result<(), Fault> {
    match (&client.secret_file, client.auth_method.has_secret()) {
        (Some(file), true) => secret_of(&key("secret_file"), file, LEAST_SECRET_BYTES).map(|_| ())?,
        (None, true) => {
            let todo = "give secret_file; make one with: carnet password --length 64 --no-symbols > client.secret && chmod 600 client.secret";
            return Err(fault(&key("auth_method"), "needs a secret", todo));
        }
        (Some(_), false) => {
            return Err(fault(
                &key("secret_file"),
                "the auth_method takes none",
                "take it out",
            ));
        }
        (None, false) => {}
    }
    let has_keys = client.jwks_file.is_some() || client.jwks.is_some() || client.jwks_uri.is_some();
    match (client.auth_method == AuthMethod::PrivateKeyJwt, has_keys) {
        (true, false) => Err(fault(
            &key("auth_method"),
            "private_key_jwt needs public keys",
            "give jwks_file or jwks_uri",
        )),
        (false, true) => Err(fault(
            &key("jwks_file"),
            "the auth_method takes no keys",
            "take it out",
        )),
        _ => Ok(()),
    }
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
