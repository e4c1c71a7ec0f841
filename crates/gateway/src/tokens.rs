//! Whose tokens open a route, and what they must have.
//!
//! Spec: RFC 9068 §4 · RFC 6750 §3.1

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use carnet_client::exchange::Exchange;
use carnet_client::http::HttpClient;
use carnet_guard::{Algorithm, Clock, Guard, Issuer, ResourceServer, Rule};

use crate::config::{self, Config};
use crate::load::ConfigError;
use carnet_listen::secret_file;

/// One guard for each audience that a route asks for; those that are known already stay.
pub(crate) async fn guards(
    config: &Config,
    clock: &Arc<dyn Clock>,
    known: Option<&HashMap<String, Guard>>,
) -> Result<HashMap<String, Guard>, ConfigError> {
    let protected = config.routes.iter().filter(|route| !route.public);
    let audiences: BTreeSet<&String> = protected
        .filter_map(|route| route.audience.as_ref().or(config.tokens.audience.as_ref()))
        .collect();
    let mut guards = HashMap::new();
    for audience in audiences {
        if let Some(guard) = known.and_then(|known| known.get(audience)) {
            guards.insert(audience.clone(), guard.clone());
            continue;
        }
        let mut server = ResourceServer::new(audience.clone())
            .leeway(config.tokens.leeway.duration())
            .clock(clock.clone());
        if let Some(url) = &config.tokens.public_url {
            server = server.public_url(url);
        }
        let wrong = |error| ConfigError::at("tokens", error, "correct [tokens] and [[issuers]]");
        if let Some(file) = &config.tokens.root_certificates_file {
            server = server.root_file(file).map_err(wrong)?;
        }
        for (at, named) in config.issuers.iter().enumerate() {
            server = server.issuer(issuer(at, named)?);
        }
        guards.insert(audience.clone(), server.build().await.map_err(wrong)?);
    }
    Ok(guards)
}

fn issuer(at: usize, config: &config::Issuer) -> Result<Issuer, ConfigError> {
    let name = &config.issuer;
    let mut issuer = match (&config.jwks_url, &config.jwks_file) {
        (None, None) => Issuer::discover(name),
        (Some(url), None) => Issuer::jwks(name, url),
        (None, Some(file)) => Issuer::jwks_file(name, file),
        (Some(_), Some(_)) => {
            return Err(ConfigError::at(
                format!("issuers[{at}]"),
                "has jwks_url and jwks_file",
                "say one of the two",
            ));
        }
    };
    if config.plain_jwt {
        issuer = issuer.plain_jwt();
    }
    if config.algorithms.is_empty() {
        return Ok(issuer);
    }
    let named = |name: &String| {
        let algorithm = Algorithm::from_name(name).filter(|algorithm| !algorithm.is_mac());
        algorithm.ok_or_else(|| {
            let what = format!("{name:?} is no algorithm of signatures");
            ConfigError::at(
                format!("issuers[{at}].algorithms"),
                what,
                "write one such as \"ES256\"",
            )
        })
    };
    let algorithms: Result<Vec<_>, _> = config.algorithms.iter().map(named).collect();
    Ok(issuer.algorithms(&algorithms?))
}

/// Where tokens are exchanged.
pub(crate) fn exchange(config: &Config, clock: &Arc<dyn Clock>) -> Result<Option<Exchange>, ConfigError> {
    let Some(settings) = &config.exchange else {
        return Ok(None);
    };
    let wrong = |key: &str, error: &dyn std::fmt::Display| {
        ConfigError::at(format!("exchange.{key}"), error, "correct [exchange]")
    };
    let secret = secret_file::read_or_say(&settings.client_secret_file)
        .map_err(|error| wrong("client_secret_file", &error))?;
    let secret = std::str::from_utf8(&secret).map_err(|error| wrong("client_secret_file", &error))?;
    let http = match &config.tokens.root_certificates_file {
        Some(file) => HttpClient::with_root_file(file),
        None => HttpClient::new(),
    };
    let http = http.map_err(|error| wrong("token_url", &error))?;
    let client = (settings.client_id.as_str(), secret);
    let exchange = Exchange::new(http, &settings.token_url, client, clock.clone());
    exchange.map(Some).map_err(|error| wrong("token_url", &error))
}

/// What a route asks for beyond a valid token.
pub(crate) fn rule(key: &str, route: &config::Route) -> Result<Option<Rule>, ConfigError> {
    let read = |member: &str, words: &[String]| -> Result<Vec<Rule>, ConfigError> {
        words
            .iter()
            .map(|word| right(&format!("{key}.{member}"), word))
            .collect()
    };
    let mut all = read("require", &route.require)?;
    let any = read("require_any", &route.require_any)?;
    if !any.is_empty() {
        all.push(Rule::any(any));
    }
    Ok((!all.is_empty()).then(|| Rule::all(all)))
}

fn right(key: &str, word: &str) -> Result<Rule, ConfigError> {
    match word.split_once(':') {
        Some(("scope", name)) if !name.is_empty() => Ok(Rule::scope(name)),
        Some(("role", name)) if !name.is_empty() => Ok(Rule::role(name)),
        Some(("permission", name)) if !name.is_empty() => Ok(Rule::permission(name)),
        _ => Err(ConfigError::at(
            key,
            format!("{word:?} asks for nothing that is known"),
            "write \"scope:read:orders\", \"role:editor\" or \"permission:orders:write\"",
        )),
    }
}
