//! Where a client is told of a logout: what may be registered.
//!
//! Spec: OpenID Connect Back-Channel Logout §2.2 · Front-Channel Logout §2

use url::Url;

use super::client::Client;
use super::client_uri;
use super::fault::{Fault, fault};
use super::settings::Config;

pub(super) fn check_logout(
    config: &Config,
    client: &Client,
    key: &dyn Fn(&str) -> String,
) -> Result<(), Fault> {
    let required = [
        (
            "backchannel_logout_session_required",
            client.backchannel_logout_session_required && client.backchannel_logout_uri.is_none(),
        ),
        (
            "frontchannel_logout_session_required",
            client.frontchannel_logout_session_required && client.frontchannel_logout_uri.is_none(),
        ),
    ];
    if let Some((name, _)) = required.iter().find(|(_, alone)| *alone) {
        let todo = "give the logout URI as well, or take it out";
        return Err(fault(&key(name), "is about a logout URI that is not there", todo));
    }
    if let Some(uri) = &client.backchannel_logout_uri {
        check_uri(config, client, &key("backchannel_logout_uri"), uri)?;
    }
    if let Some(uri) = &client.frontchannel_logout_uri {
        let name = key("frontchannel_logout_uri");
        let uri = check_uri(config, client, &name, uri)?;
        let redirects = client.redirect_uris.iter().filter_map(|uri| Url::parse(uri).ok());
        // Front-Channel Logout §2: scheme, port and domain are those of a registered redirect URI.
        if !redirects
            .into_iter()
            .any(|redirect| redirect.origin() == uri.origin())
        {
            let what = "has another scheme, host or port than every redirect URI";
            return Err(fault(&name, what, "name an address of the app itself"));
        }
    }
    Ok(())
}

fn check_uri(config: &Config, client: &Client, key: &str, uri: &str) -> Result<Url, Fault> {
    if client.grant_types.is_empty() {
        let what = "is for clients of the OAuth endpoints: those of the login API know no sessions of ours";
        return Err(fault(key, what, "take it out"));
    }
    client_uri::sound(config, uri).ok_or_else(|| client_uri::unsound(key, uri))
}
