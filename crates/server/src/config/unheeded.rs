//! What an operator has written that does less than it seems to: the server runs with it, and says so.
//!
//! Spec: RFC 7523 §2.1 · RFC 7517 §5 · RFC 9700 §4.14.2 (rotation)

use carnet_client::reach::Reach;
use carnet_oauth::client_auth::AuthMethod;
use carnet_oauth::grant_type::GrantType;
use url::{Host, Url};

use super::client::{Client, Consent, RefreshRotation};
use super::settings::Config;
use super::trusted_issuer::TrustedIssuer;

/// Which addresses that others have named this server goes to: public ones, and those that the configuration allows.
pub fn reach(config: &Config) -> Reach {
    let (allowed, loopback) = (
        config.outbound.allowed_networks.clone(),
        config.issuer.is_loopback(),
    );
    Reach::public_and(move |address| {
        loopback && address.is_loopback() || allowed.iter().any(|network| network.contains(address))
    })
}

pub(super) fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    for (i, client) in config.clients.iter().enumerate() {
        warnings.extend(client_warnings(config, client, &|name| {
            format!("clients.{i}.{name}")
        }));
    }
    for (i, trusted) in config.trusted_issuers.iter().enumerate() {
        warnings.extend(of_trusted(config, trusted, &|name| {
            format!("trusted_issuers.{i}.{name}")
        }));
    }
    warnings
}

/// What a client is registered with that has no effect, or not the one that it seems to have.
pub fn client_warnings(config: &Config, client: &Client, key: &dyn Fn(&str) -> String) -> Vec<String> {
    let may = |grant_type| client.grant_types.contains(&grant_type);
    let mut warnings = Vec::new();
    let mut warn = |is_so: bool, name: &str, what: &str| {
        if is_so {
            warnings.push(format!("{}: {what}", key(name)));
        }
    };
    let unrefreshed = !client.grant_types.is_empty() && !may(GrantType::RefreshToken);
    for (name, is_set) in [
        ("refresh_idle", client.refresh_idle.is_some()),
        ("refresh_absolute", client.refresh_absolute.is_some()),
        ("refresh_grace", client.refresh_grace.is_some()),
        (
            "refresh_rotation",
            client.refresh_rotation == RefreshRotation::Off,
        ),
    ] {
        let what = "has no effect: the client gets no refresh tokens; add \"refresh_token\" to grant_types, or take it out";
        warn(unrefreshed && is_set, name, what);
    }
    warn(
        !unrefreshed && client.refresh_rotation == RefreshRotation::Off && client.refresh_grace.is_some(),
        "refresh_grace",
        "has no effect beside refresh_rotation = \"off\": a token that is not replaced is never spent; take one of them out",
    );
    warn(
        client.access_token_signing.is_some() && all_say_signing(config, client),
        "access_token_signing",
        "has no effect: every resource that the client may ask for says signing itself; take it out here, or there",
    );
    let named = config
        .trusted_issuers
        .iter()
        .any(|trusted| trusted.clients.contains(&client.id));
    warn(
        may(GrantType::JwtBearer) && client.auth_method != AuthMethod::PrivateKeyJwt && !named,
        "grant_types",
        "jwt_bearer leads nowhere: the client has no keys to sign assertions with, and no [[trusted_issuers]] names it in clients",
    );
    if let Some(address) = client
        .jwks_uri
        .as_deref()
        .and_then(|uri| unreachable(config, uri))
    {
        warn(true, "jwks_uri", &never_asked(&address));
    }
    warnings
}

/// No wish of the client counts where the API has said what it takes.
fn all_say_signing(config: &Config, client: &Client) -> bool {
    let mut reached = config
        .resources
        .iter()
        .filter(|resource| client.audiences.is_empty() || client.audiences.contains(&resource.audience));
    reached.all(|resource| resource.signing.is_some())
}

fn of_trusted(config: &Config, trusted: &TrustedIssuer, key: &dyn Fn(&str) -> String) -> Vec<String> {
    let mut warnings = Vec::new();
    for id in &trusted.clients {
        let client = config.clients.iter().find(|client| client.id == *id);
        let what = match client.map(|client| client.consent) {
            None => {
                "stands in no [[clients]] table: nothing comes of it until a client of this name is registered (carnet client add)"
            }
            Some(Consent::Explicit) => {
                "has consent = \"explicit\": nobody is there to be asked, so none of these assertions gets it a token; write \"remembered\" or \"none\""
            }
            Some(_) => continue,
        };
        warnings.push(format!("{}: {id} {what}", key("clients")));
    }
    let address = trusted
        .jwks_uri
        .as_deref()
        .and_then(|uri| unreachable(config, uri));
    warnings.extend(address.map(|address| format!("{}: {}", key("jwks_uri"), never_asked(&address))));
    warnings
}

/// The address, if the URL has one that is never asked. Where a name leads to is known only when it is asked.
fn unreachable(config: &Config, uri: &str) -> Option<String> {
    let reach = reach(config);
    let parsed = Url::parse(uri).ok()?;
    let includes = match parsed.host()? {
        Host::Ipv4(address) => reach.includes(address.into()),
        Host::Ipv6(address) => reach.includes(address.into()),
        Host::Domain(name) if is_this_machine(name) => {
            let own = [
                std::net::Ipv4Addr::LOCALHOST.into(),
                std::net::Ipv6Addr::LOCALHOST.into(),
            ];
            own.into_iter().any(|address| reach.includes(address))
        }
        Host::Domain(_) => true,
    };
    (!includes).then(|| parsed.host_str().unwrap_or_default().to_owned())
}

/// RFC 6761 §6.3.
fn is_this_machine(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

fn never_asked(address: &str) -> String {
    format!("{address} is never asked: it is not public, and outbound.allowed_networks does not have it")
}

#[cfg(test)]
mod tests;
