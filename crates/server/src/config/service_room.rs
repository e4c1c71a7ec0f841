//! How many services there may be: the bundle that tells of all of them is one that others read.
//!
//! Spec: RFC 7517 §5

use carnet_oauth::service_token::{BundledService, MOST_BUNDLE_BYTES, id};
use serde_json::Value;

use super::client::{Client, one_or_set};
use super::fault::{Fault, fault};
use super::service_clients::service_keys;
use super::settings::Config;

/// Whether a bundle of these services, each with its name, its JWKS and whom it calls, has room: with one too many, nobody would learn of
/// any change any more. Its JSON has half of what others read: base64url makes four bytes of three, and each part is signed.
pub fn services_fit<'s>(
    issuer: &str,
    services: impl IntoIterator<Item = (&'s str, &'s Value, &'s [String])>,
) -> bool {
    let bytes = services.into_iter().map(|(name, jwks, calls)| {
        let told = BundledService {
            iss: id(issuer, name),
            name: name.to_owned(),
            keys: service_keys(jwks).unwrap_or_default(),
            calls: calls.to_vec(),
        };
        serde_json::to_vec(&told).map_or(0, |json| json.len() + 1)
    });
    bytes.sum::<usize>() <= MOST_BUNDLE_BYTES / 2
}

/// As [`services_fit`], of those of these clients that are services.
pub fn clients_fit<'c>(issuer: &str, clients: impl IntoIterator<Item = &'c Client>) -> bool {
    let services = clients.into_iter().filter(|client| client.service);
    let described = services.filter_map(|client| Some((client, jwks_of(client)?)));
    let described: Vec<(&Client, Value)> = described.collect();
    let told = described
        .iter()
        .map(|(client, jwks)| (client.id.as_str(), jwks, client.calls.as_slice()));
    services_fit(issuer, told)
}

/// What is wrong with the file is said where it is read to be used.
fn jwks_of(client: &Client) -> Option<Value> {
    match (&client.jwks, &client.jwks_file) {
        (Some(jwks), _) => Some(jwks.clone()),
        (None, Some(file)) => Some(one_or_set(
            serde_json::from_slice(&std::fs::read(file).ok()?).ok()?,
        )),
        (None, None) => None,
    }
}

pub(super) fn check_room(config: &Config) -> Result<(), Fault> {
    match clients_fit(config.issuer.as_str(), &config.clients) {
        true => Ok(()),
        false => Err(fault("clients", NO_ROOM, "delete services that are not used")),
    }
}

/// What is said where they do not fit.
pub const NO_ROOM: &str = "too_many_services: the bundle of services would be larger than services read";

#[cfg(test)]
mod tests {
    use carnet_jose::{Algorithm, AnySigningKey};
    use serde_json::json;

    use super::*;

    #[test]
    fn no_more_services_than_a_bundle_holds() {
        let key = AnySigningKey::generate(Algorithm::Es256).unwrap().verifying_key();
        let jwks = json!({ "keys": [key.to_jwk().unwrap().with_kid("k")] });
        let calls = vec!["x".repeat(64); 100];
        let service = |number: usize| Client {
            service: true,
            jwks: Some(jwks.clone()),
            calls: calls.clone(),
            ..Client::named(&format!("service-{number}"))
        };
        let mut clients: Vec<_> = (0..1_100).map(service).collect();
        let issuer = "https://auth.example.com";
        assert!(clients_fit(issuer, &clients));
        clients.extend((1_100..1_250).map(service));
        assert!(!clients_fit(issuer, &clients));
        for client in &mut clients[..200] {
            client.service = false;
        }
        assert!(clients_fit(issuer, &clients), "others are in no bundle");
    }
}
