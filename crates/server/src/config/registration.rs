//! What is asked of a client that is registered beside the running server, by hand or from a file.
//!
//! Spec: RFC 7591 §2

use carnet_jose::KeySet;
use carnet_oauth::client_auth::AuthMethod;

use super::client::{ASSERTION_ALGORITHMS, Client};
use super::fault::{Fault, fault};
use super::parties::check_client;
use super::settings::Config;

/// What is asked of a client beyond [`client_faults`](super::client_faults) when it is registered beside the running server.
pub fn registration_faults(config: &Config, client: &Client, key: &dyn Fn(&str) -> String) -> Vec<Fault> {
    let login_api = client.grant_types.is_empty() && client.auth_method == AuthMethod::None;
    let wrong = |is_wrong: bool, name: &str, what: &str, todo: &str| match is_wrong {
        true => Err(fault(&key(name), what, todo)),
        false => Ok(()),
    };
    let checks = [
        wrong(
            login_api,
            "grant_types",
            "is empty: a client of the login API stands in the configuration file",
            "name some, such as \"authorization_code\" and \"refresh_token\"",
        ),
        wrong(
            client.secret_file.is_some(),
            "secret_file",
            "is read by the server, for clients of the configuration file",
            "take it out: a secret is made and shown",
        ),
        wrong(
            client.jwks_file.is_some(),
            "jwks_file",
            "is read by the server, for clients of the configuration file",
            "write the keys as jwks",
        ),
        check_name(config, client, key),
        check_keys(client, key),
        check_life(config, client, key),
    ];
    checks.into_iter().filter_map(Result::err).collect()
}

/// The client of a row of the store, or why the server cannot use it under this configuration.
///
/// # Errors
///
/// What is wrong and what to do, for an operator: something that was right may not be any more when the configuration has changed.
pub fn registered(config: &Config, settings: &str) -> Result<Client, String> {
    let client: Client = serde_json::from_str(settings).map_err(|error| error.to_string())?;
    let key = |name: &str| name.to_owned();
    check_client(config, &client, &key)
        .and_then(|()| check_name(config, &client, &key))
        .and_then(|()| check_keys(&client, &key))
        .map_err(|fault| format!("{}: {}; {}", fault.key, fault.what, fault.todo))?;
    Ok(client)
}

/// Whose word an assertion is must be told by its iss alone.
fn check_name(config: &Config, client: &Client, key: &dyn Fn(&str) -> String) -> Result<(), Fault> {
    match config
        .trusted_issuers
        .iter()
        .any(|trusted| trusted.issuer == client.id)
    {
        true => Err(fault(
            &key("id"),
            "is the issuer of a [[trusted_issuers]] table",
            "choose another",
        )),
        false => Ok(()),
    }
}

fn check_life(config: &Config, client: &Client, key: &dyn Fn(&str) -> String) -> Result<(), Fault> {
    let configured = config.clients.iter().filter_map(|client| client.access_ttl);
    let longest = configured.chain([config.tokens.access_ttl]).max();
    match (client.access_ttl, longest) {
        // Revocations are kept for as long as configured tokens live.
        (Some(own), Some(longest)) if own > longest => Err(fault(
            &key("access_ttl"),
            format!("is longer than any in the configuration: {longest}"),
            "shorten it, or lengthen tokens.access_ttl first",
        )),
        _ => Ok(()),
    }
}

/// Whether a client that proves itself by keys has some that can be used, and another has none.
fn check_keys(client: &Client, key: &dyn Fn(&str) -> String) -> Result<(), Fault> {
    const JWKS: &str = "give a JWKS of public keys, or a jwks_uri";
    let wrong = |what: String, todo: &str| Err(fault(&key("jwks"), what, todo));
    match (client.auth_method == AuthMethod::PrivateKeyJwt, &client.jwks) {
        (false, None) => Ok(()),
        // Another place for them is looked at as its own.
        (_, None) if client.jwks_uri.is_some() => Ok(()),
        (true, None) => wrong("private_key_jwt needs public keys".to_owned(), JWKS),
        (false, Some(_)) => wrong("the auth_method takes no keys".to_owned(), "take it out"),
        (true, Some(jwks)) => match KeySet::from_jwks_json(jwks.to_string().as_bytes(), ASSERTION_ALGORITHMS)
        {
            Ok(parsed) if !parsed.set.is_empty() => Ok(()),
            Ok(_) => wrong("has no key that can be used".to_owned(), JWKS),
            Err(error) => wrong(error.to_string(), JWKS),
        },
    }
}
