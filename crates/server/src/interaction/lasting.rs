//! For how long a client can act once somebody has allowed it, as the pages that ask say it.

use carnet_oauth::grant_type::GrantType;
use serde_json::{Value, json};

use crate::client::Client;
use crate::config::Ttl;

/// What a page says of it. `login`: what is left of the login in the browser, where what is allowed is tied to that.
pub(crate) fn lasting(client: &Client, login: Option<Ttl>) -> Value {
    let (lasts, idle) = duration(client, login);
    let (duration_key, duration_value) = in_words(lasts);
    let (idle_key, idle_value) = idle.map(in_words).unzip();
    json!({
        "duration_key": duration_key,
        "duration_value": duration_value,
        "idle_key": idle_key,
        "idle_value": idle_value,
        "is_tied": login.is_some(),
    })
}

/// For how long the client can act: as long as its tokens may be renewed, or as long as one lives; where it is tied to the login in the browser, no
/// longer than that lasts. And how long a rest ends it before.
fn duration(client: &Client, login: Option<Ttl>) -> (Ttl, Option<Ttl>) {
    let within = |own: Ttl| login.map_or(own, |login| login.min(own));
    let (idle, absolute) = (client.refresh_idle, within(client.refresh_absolute));
    match client.may(GrantType::RefreshToken) {
        true => (absolute, Some(idle).filter(|idle| *idle < absolute)),
        false => (within(client.access_ttl), None),
    }
}

fn in_words(lasts: Ttl) -> (&'static str, u64) {
    let seconds = lasts.as_seconds();
    let units = [
        (86_400, "day", "days"),
        (3_600, "hour", "hours"),
        (60, "minute", "minutes"),
        (1, "second", "seconds"),
    ];
    let fits = units
        .iter()
        .find(|(unit, ..)| seconds >= *unit && seconds.is_multiple_of(*unit));
    match fits {
        Some((unit, one, _)) if seconds == *unit => (one, 1),
        Some((unit, _, many)) => (many, seconds / unit),
        None => ("seconds", seconds),
    }
}
