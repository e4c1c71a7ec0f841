//! What a client's settings of its own tokens must be: their lives, their rotation, their algorithm, and its assertions.
//!
//! Spec: RFC 9700 §4.14.2 (rotation) · FAPI 2.0 Security Profile §5.3.2.1 · OpenID Connect Core §9 (the audience of assertions)

use carnet_jose::Algorithm;
use carnet_oauth::client_auth::AuthMethod;

use super::client::{AssertionAudience, Client, RefreshRotation};
use super::fault::{Fault, fault};
use super::lifetimes::{check_refresh_grace, check_refresh_life};
use super::settings::Config;
use carnet_listen::value::Ttl;

/// How long a retry of a client may come late whose tokens are of no use to a thief.
const LONGEST_GRACE: Ttl = Ttl::days(1);

pub(super) fn check_client_tokens(
    config: &Config,
    client: &Client,
    key: &dyn Fn(&str) -> String,
) -> Result<(), Fault> {
    check_grace(client, key)?;
    let absolute = client.refresh_absolute.unwrap_or(config.tokens.refresh_absolute);
    // One that says nothing of resting rests no longer than it lives.
    let idle = client
        .refresh_idle
        .unwrap_or(config.tokens.refresh_idle.min(absolute));
    let named = match client.refresh_idle {
        Some(_) => "refresh_idle",
        None => "refresh_absolute",
    };
    check_refresh_life(&key(named), idle, absolute)?;
    if client.refresh_grace.is_some_and(|grace| grace > absolute) {
        let what = format!("is longer than a refresh token lives: {absolute}");
        return Err(fault(
            &key("refresh_grace"),
            what,
            "shorten it, or lengthen refresh_absolute",
        ));
    }
    if client.refresh_rotation == RefreshRotation::Off && !client.is_sender_constrained() {
        let what = "a token that stays the same must be of no use to a thief";
        let todo = "take it out, or write dpop = \"required\" for a client that proves who it is";
        return Err(fault(&key("refresh_rotation"), what, todo));
    }
    let has_assertions = client.auth_method == AuthMethod::PrivateKeyJwt;
    if client.assertion_audience != AssertionAudience::Issuer && !has_assertions {
        let what = "is about assertions, and the auth_method has none";
        return Err(fault(&key("assertion_audience"), what, "take it out"));
    }
    published(config, client.access_token_signing, &key("access_token_signing"))
}

fn check_grace(client: &Client, key: &dyn Fn(&str) -> String) -> Result<(), Fault> {
    let (key, Some(grace)) = (key("refresh_grace"), client.refresh_grace) else {
        return Ok(());
    };
    if !client.is_sender_constrained() {
        return check_refresh_grace(&key, grace);
    }
    match grace > LONGEST_GRACE {
        true => Err(fault(
            &key,
            format!("{grace} is no time for a retry"),
            "write 0s to 1d",
        )),
        false => Ok(()),
    }
}

/// Everybody must be able to check what a client's tokens are signed with.
pub(super) fn published(config: &Config, algorithm: Option<Algorithm>, key: &str) -> Result<(), Fault> {
    match algorithm {
        Some(algorithm) if algorithm.is_mac() || !config.keys.algorithms.contains(&algorithm) => {
            let what = format!("no published key is kept for {}", algorithm.name());
            Err(fault(key, what, "name one of keys.algorithms"))
        }
        _ => Ok(()),
    }
}
