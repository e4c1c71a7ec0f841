//! What a trusted issuer must be: one name, its clients, and its keys from one place.
//!
//! Spec: RFC 7523 §3 · RFC 7517 §5

use carnet_jose::Algorithm;
use carnet_oauth::grant_type::GrantType;

use super::client::{ASSERTION_ALGORITHMS, Client};
use super::fault::{Fault, fault};
use super::settings::Config;
use super::trusted_issuer::TrustedIssuer;
use super::value::is_loopback;
use carnet_listen::value::Ttl;

/// The built-in client of the login API.
const FIRST_PARTY: &str = "first-party";
const LONGEST: Ttl = Ttl::minutes(60);

pub(super) fn check_trusted_issuers(config: &Config) -> Result<(), Fault> {
    for (i, trusted) in config.trusted_issuers.iter().enumerate() {
        let key = |name: &str| format!("trusted_issuers.{i}.{name}");
        let namesakes = config.trusted_issuers.iter();
        let namesakes = namesakes.filter(|other| other.issuer == trusted.issuer).count();
        let is_client = config.clients.iter().any(|client| client.id == trusted.issuer);
        let wrong = |is_wrong: bool, name: &str, what: &str, todo: &str| match is_wrong {
            true => Err(fault(&key(name), what, todo)),
            false => Ok(()),
        };
        let ours = trusted.issuer == config.issuer.as_str();
        wrong(
            trusted.issuer.is_empty() || namesakes > 1 || is_client || ours,
            "issuer",
            "is empty, named twice, a client, or this server",
            "write the iss of its assertions",
        )?;
        wrong(
            trusted.clients.is_empty(),
            "clients",
            "is empty: nobody could bring its assertions",
            "name the clients that may",
        )?;
        for id in &trusted.clients {
            let client = config.clients.iter().find(|client| client.id == *id);
            let deaf = |client: &Client| !client.grant_types.contains(&GrantType::JwtBearer);
            wrong(
                id == FIRST_PARTY || client.is_some_and(deaf),
                "clients",
                &format!("names {id}, which may not bring assertions"),
                "add \"jwt_bearer\" to the grant_types of a client that proves who it is, or take it out",
            )?;
        }
        let unfit = |algorithm: &Algorithm| !ASSERTION_ALGORITHMS.contains(algorithm);
        wrong(
            trusted.algorithms.is_empty() || trusted.algorithms.iter().any(unfit),
            "algorithms",
            "is empty, or has one that assertions are not signed with",
            "write some of ES256, ES384, ES512, Ed25519, PS256, RS256",
        )?;
        let life = trusted.longest_life;
        wrong(
            life.as_seconds() == 0 || life > LONGEST,
            "longest_life",
            "is no life for an assertion",
            "write 1s to 1h; \"5m\" is usual",
        )?;
        check_keys(trusted, &key)?;
    }
    Ok(())
}

fn check_keys(trusted: &TrustedIssuer, key: &dyn Fn(&str) -> String) -> Result<(), Fault> {
    let ways = [
        trusted.jwks_uri.is_some(),
        trusted.jwks_file.is_some(),
        trusted.jwks.is_some(),
    ];
    if ways.into_iter().filter(|way| *way).count() != 1 {
        return Err(fault(
            &key("issuer"),
            "its keys are named in no way, or in several",
            "give one of jwks_uri, jwks_file and jwks",
        ));
    }
    if let Some(uri) = &trusted.jwks_uri {
        let url = url::Url::parse(uri).ok();
        let plain = |url: &url::Url| {
            let named = !url.username().is_empty() || url.password().is_some();
            let local = url.scheme() == "http" && is_loopback(url);
            (url.scheme() == "https" || local) && !named && url.fragment().is_none()
        };
        return match url.is_some_and(|url| plain(&url)) {
            true => Ok(()),
            false => Err(fault(
                &key("jwks_uri"),
                "is no https URL without fragment and user name",
                "write https://…",
            )),
        };
    }
    let name = match &trusted.jwks_file {
        Some(_) => "jwks_file",
        None => "jwks",
    };
    let usable = trusted.fixed_keys().and_then(|keys| match keys.is_empty() {
        true => Err("has no key that these algorithms can use".to_owned()),
        false => Ok(()),
    });
    usable.map_err(|what| fault(&key(name), what, "give public keys, as a JWKS or as one JWK"))
}
