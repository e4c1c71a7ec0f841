//! The app has one origin: what is asked of another host is not for it.
//!
//! Spec: RFC 9110 §7.2 (Host), §15.5.20 (421)

use http::StatusCode;

use super::app::Settings;
use crate::refusal::Refusal;
use crate::target;

/// The host and port that the client has asked for are the app's. Any other name that leads here is of no concern to its cookies: whoever made it lead
/// here (DNS rebinding, a certificate for several names, a default host) would be shown a login that is not theirs.
pub(super) fn demand(settings: &Settings, authority: &str) -> Result<(), Refusal> {
    let usual = if settings.secure { 443 } else { 80 };
    match target::host(authority) {
        Ok((host, port)) if host == settings.host && port.unwrap_or(usual) == settings.port => Ok(()),
        _ => Err(MISDIRECTED),
    }
}

const MISDIRECTED: Refusal = Refusal::new(
    StatusCode::MISDIRECTED_REQUEST,
    "host_misdirected",
    "the app of this gateway is at another host; see bff.url",
);
