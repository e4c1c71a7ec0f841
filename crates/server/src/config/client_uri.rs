//! Addresses of a client that this server asks by itself: its keys, and where it is told of a logout.
//!
//! Spec: RFC 7591 §2 (jwks_uri) · OpenID Connect Back-Channel Logout §2.2

use carnet_oauth::client_auth::AuthMethod;
use carnet_oauth::plain_uri;
use url::Url;

use super::client::Client;
use super::fault::{Fault, fault};
use super::settings::Config;
use super::value::is_loopback;

/// The address, if it is https without fragment and user name; plain http on a loopback issuer, where nothing leaves the machine.
pub(super) fn sound(config: &Config, uri: &str) -> Option<Url> {
    plain_uri::read(uri).filter(|parsed| {
        let encrypted = parsed.scheme() == "https";
        let local = parsed.scheme() == "http" && is_loopback(parsed) && config.issuer.is_loopback();
        (encrypted || local)
            && !uri.contains('#')
            && parsed.username().is_empty()
            && parsed.password().is_none()
    })
}

/// What is wrong with such an address, and what to write.
pub(super) fn unsound(key: &str, uri: &str) -> Fault {
    let what = format!("{uri:?} is no https URL without fragment and user name");
    let todo = "write https://…; http is for loopback addresses, when the issuer is one too";
    fault(key, what, todo)
}

/// Keys have one place, and are for who proves itself by them.
pub(super) fn check_keys_place(
    config: &Config,
    client: &Client,
    key: &dyn Fn(&str) -> String,
) -> Result<(), Fault> {
    if let Some(algorithm) = client.assertion_signing
        && (client.auth_method != AuthMethod::PrivateKeyJwt
            || !super::client::ASSERTION_ALGORITHMS.contains(&algorithm))
    {
        let what = "is the algorithm of a private_key_jwt: ES256, ES384, ES512, Ed25519, PS256 or RS256";
        return Err(fault(
            &key("assertion_signing"),
            what,
            "take it out, or name one of them",
        ));
    }
    let Some(uri) = &client.jwks_uri else {
        return Ok(());
    };
    let name = key("jwks_uri");
    if client.auth_method != AuthMethod::PrivateKeyJwt {
        return Err(fault(&name, "the auth_method takes no keys", "take it out"));
    }
    if client.jwks.is_some() || client.jwks_file.is_some() {
        let what = "stands beside other keys of the client";
        return Err(fault(&name, what, "give one of jwks_uri, jwks and jwks_file"));
    }
    sound(config, uri).map(|_| ()).ok_or_else(|| unsound(&name, uri))
}
