//! Services: clients that call each other by tokens of their own, and how the others learn whose keys count.

use carnet_jose::KeySet;
use carnet_oauth::client_auth::AuthMethod;
use carnet_oauth::service_token::{ALGORITHMS, MOST_CALLS, MOST_KEYS, is_name};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client::Client;
use super::fault::{Fault, fault};
use carnet_listen::value::Ttl;

/// `[services]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Services {
    /// After how long services look for a newer bundle: for that long one that was disabled is still believed.
    pub refresh_hint: Ttl,
    /// For how long a bundle is used when no newer one can be had.
    pub bundle_ttl: Ttl,
}

impl Default for Services {
    fn default() -> Self {
        Self {
            refresh_hint: Ttl::minutes(1),
            bundle_ttl: Ttl::minutes(12 * 60),
        }
    }
}

pub(super) fn check_services(services: &Services) -> Result<(), Fault> {
    let Services {
        refresh_hint,
        bundle_ttl,
    } = services;
    if !(Ttl::seconds(1)..=Ttl::minutes(60)).contains(refresh_hint) {
        let what = "is shorter than 1s or longer than 1h";
        return Err(fault("services.refresh_hint", what, "write \"1m\""));
    }
    if *bundle_ttl > Ttl::days(7) || bundle_ttl.millis() < refresh_hint.millis().saturating_mul(4) {
        let what = "is longer than 7d or shorter than four times services.refresh_hint";
        return Err(fault("services.bundle_ttl", what, "write \"12h\""));
    }
    Ok(())
}

/// Whether a client can be a service. Keys that stand in a file are looked at when it is read.
pub(super) fn check_service(client: &Client, key: &dyn Fn(&str) -> String) -> Result<(), Fault> {
    let wrong = |name: &str, what: &str, todo: &str| Err(fault(&key(name), what, todo));
    if !client.service {
        return match client.calls.is_empty() {
            true => Ok(()),
            false => wrong(
                "calls",
                "is about services, and this client is none",
                "write service = true",
            ),
        };
    }
    if !is_name(&client.id) {
        let what = "is a part of the service's URL: 64 letters, digits, '-', '.' and '_' at most";
        return wrong("id", what, "choose another");
    }
    if client.auth_method != AuthMethod::PrivateKeyJwt {
        let what = "needs a client with keys of its own";
        return wrong(
            "service",
            what,
            "write auth_method = \"private_key_jwt\" and give its public keys",
        );
    }
    if client.calls.len() > MOST_CALLS || !client.calls.iter().all(|name| is_name(name)) {
        let what = format!("names more than {MOST_CALLS} services, or something that is no service's name");
        return wrong("calls", &what, "write the ids of the clients that they are");
    }
    if client.jwks_uri.is_some() {
        let what = "is somebody else's word: the keys of a service are published as they are registered";
        return wrong("jwks_uri", what, "give the keys themselves");
    }
    match client.jwks.as_ref().map(service_keys) {
        Some(Err(what)) => wrong("jwks", &what, "make one: carnet jwk generate --algorithm ES256"),
        _ => Ok(()),
    }
}

/// The keys of a JWKS that a service may sign with: public members alone, each with its name.
pub fn service_keys(jwks: &Value) -> Result<Vec<Value>, String> {
    let parsed = KeySet::from_jwks_json(jwks.to_string().as_bytes(), ALGORITHMS);
    let set = parsed.map_err(|error| error.to_string())?.set;
    let text = set.to_jwks_json().map_err(|error| error.to_string())?;
    let published: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let keys = published["keys"].as_array().cloned().unwrap_or_default();
    if keys.is_empty() {
        return Err("has no ES256 or Ed25519 key, and a service signs with no other".to_owned());
    }
    if keys.len() > MOST_KEYS {
        return Err(format!("has more than {MOST_KEYS} keys"));
    }
    match keys.iter().all(|key| key.get("kid").is_some()) {
        true => Ok(keys),
        false => Err("has a key without kid: nobody could tell which one has signed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use carnet_jose::{Algorithm, AnySigningKey};
    use carnet_oauth::grant_type::GrantType;
    use serde_json::json;

    use super::*;

    fn jwks(algorithm: Algorithm, kid: Option<&str>) -> Value {
        let key = AnySigningKey::generate(algorithm).unwrap().verifying_key();
        let jwk = key.to_jwk().unwrap();
        json!({ "keys": [kid.into_iter().fold(jwk, |jwk, kid| jwk.with_kid(kid))] })
    }

    fn service() -> Client {
        Client {
            service: true,
            auth_method: AuthMethod::PrivateKeyJwt,
            grant_types: vec![GrantType::ClientCredentials],
            jwks: Some(jwks(Algorithm::Es256, Some("k"))),
            ..Client::named("orders")
        }
    }

    fn flaw(change: impl FnOnce(&mut Client)) -> Option<String> {
        let mut client = service();
        change(&mut client);
        check_service(&client, &|name| name.to_owned())
            .err()
            .map(|fault| fault.key)
    }

    #[test]
    fn a_service_has_a_plain_name_and_a_key_that_others_can_tell_from_the_rest() {
        assert_eq!(flaw(|_| ()), None);
        assert_eq!(flaw(|client| client.calls = vec!["billing".to_owned()]), None);
        assert_eq!(
            flaw(|client| client.id = "or/ders".to_owned()).as_deref(),
            Some("id")
        );
        let secret = flaw(|client| client.auth_method = AuthMethod::ClientSecretBasic);
        assert_eq!(secret.as_deref(), Some("service"));
        for keys in [jwks(Algorithm::Es256, None), jwks(Algorithm::Es384, Some("k"))] {
            assert_eq!(flaw(|client| client.jwks = Some(keys)).as_deref(), Some("jwks"));
        }
        let elsewhere = flaw(|client| client.jwks_uri = Some("https://orders.example.com/jwks".to_owned()));
        assert_eq!(elsewhere.as_deref(), Some("jwks_uri"));
        for calls in [vec!["a b".to_owned()], vec!["x".to_owned(); 101]] {
            assert_eq!(flaw(|client| client.calls = calls).as_deref(), Some("calls"));
        }
        let no_service = flaw(|client| {
            client.service = false;
            client.calls = vec!["billing".to_owned()];
        });
        assert_eq!(no_service.as_deref(), Some("calls"));
    }

    #[test]
    fn what_is_told_of_keys_is_public() {
        let key = AnySigningKey::generate(Algorithm::Ed25519).unwrap();
        let private: Value = serde_json::from_str(&key.to_jwk_private().unwrap()).unwrap();
        assert!(service_keys(&json!({ "keys": [private] })).is_err());
        let mut spoken = jwks(Algorithm::Ed25519, Some("k"));
        spoken["keys"][0]["note"] = json!("of the operator's own");
        assert_eq!(service_keys(&spoken).unwrap()[0].get("note"), None);
    }

    #[test]
    fn the_times_of_bundles_are_bounded() {
        let check = |hint: Ttl, ttl: Ttl| {
            check_services(&Services {
                refresh_hint: hint,
                bundle_ttl: ttl,
            })
        };
        assert!(check_services(&Services::default()).is_ok());
        assert!(check(Ttl::seconds(1), Ttl::seconds(4)).is_ok());
        for (hint, ttl) in [
            (Ttl::seconds(0), Ttl::days(1)),
            (Ttl::minutes(61), Ttl::days(1)),
            (Ttl::minutes(1), Ttl::minutes(3)),
            (Ttl::minutes(1), Ttl::days(8)),
        ] {
            assert!(check(hint, ttl).is_err(), "{hint} {ttl}");
        }
    }
}
