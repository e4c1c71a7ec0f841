//! Whose tokens open a route, and what they must have.
//!
//! Spec: RFC 9068 §4 · RFC 6750 §3.1

pub(crate) mod metadata;
pub(crate) mod rule;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use carnet_client::discovery::check_issuer;
use carnet_client::exchange::Exchange;
use carnet_client::http::{HttpClient, check_address};
use carnet_guard::{
    Algorithm, Builder, CertificateHeader, Clock, Guard, Introspection, Issuer, ResourceMetadata,
    ResourceServer, Services, Spiffe,
};
use carnet_jose::{base64url, primitive};

use crate::certificates;
use crate::config::{self, Config};
use crate::feeds::Feeds;
use crate::load::ConfigError;
use carnet_listen::secret_file;

/// The guards of another configuration, whose place new ones take.
#[derive(Clone, Copy)]
pub(crate) struct Before<'b> {
    pub(crate) config: &'b Config,
    pub(crate) feeds: &'b Feeds,
    pub(crate) guards: &'b HashMap<String, Guard>,
    /// Whether the same are trusted to be the issuers.
    pub(crate) same_trust: bool,
    /// Whether the files of the issuers say what they said.
    pub(crate) same_files: bool,
}

/// One guard for each audience that a route asks for, all with the same keys. Those of which nothing else is said stay; others take over what is
/// known.
pub(crate) async fn guards(
    config: &Config,
    clock: &Arc<dyn Clock>,
    (feeds, before): (&Feeds, Option<Before<'_>>),
) -> Result<HashMap<String, Guard>, ConfigError> {
    if let Some(folder) = config
        .tokens
        .key_folder
        .as_ref()
        .filter(|folder| !folder.is_dir())
    {
        let what = format!("{} is no folder: no keys could be kept", folder.display());
        let todo = "make it, for the gateway's user alone: whoever may write there can forge tokens";
        return Err(ConfigError::at("tokens.key_folder", what, todo));
    }
    let protected = config.routes.iter().filter(|route| !route.public);
    let audiences: BTreeSet<&String> = protected
        .filter_map(|route| route.audience.as_ref().or(config.tokens.audience.as_ref()))
        .collect();
    let planned = metadata::planned(config);
    let mut guards = HashMap::new();
    for audience in audiences {
        let scopes = planned.get(audience.as_str());
        let known = before.and_then(|before| before.guards.get(audience).zip(Some(before)));
        let same = |(_, before): &(&Guard, Before<'_>)| {
            before.is_told_the_same(config)
                && before.feeds.is_as(feeds)
                && metadata::planned(before.config).get(audience.as_str()) == scopes
        };
        if let Some((guard, _)) = known.filter(same) {
            guards.insert(audience.clone(), guard.clone());
            continue;
        }
        let wrong = |error| ConfigError::at("tokens", error, "correct [tokens], [[issuers]] and [services]");
        let mut server = described((config, feeds), audience, clock)?;
        if let Some(scopes) = scopes {
            server = server.metadata(ResourceMetadata::new().scopes(scopes.iter().copied()));
        }
        // All of them have the same issuers and services: those are asked once, and whatever counts once does so for all audiences.
        let sibling = guards.values().next();
        if let Some(known) = sibling.or_else(|| before.and_then(|before| before.guards.values().next())) {
            server = server.after(known);
        }
        let guard = server.build().await.map_err(wrong)?;
        guards.insert(audience.clone(), guard);
    }
    Ok(guards)
}

impl<'b> Before<'b> {
    fn is_told_the_same(&self, config: &Config) -> bool {
        let before = self.config;
        before.tokens == config.tokens
            && before.issuers == config.issuers
            && before.services == config.services
            && before.spiffe == config.spiffe
            && self.same_trust
            && self.same_files
    }
}

fn described(
    (config, feeds): (&Config, &Feeds),
    audience: &str,
    clock: &Arc<dyn Clock>,
) -> Result<Builder, ConfigError> {
    let tokens = &config.tokens;
    let mut server = ResourceServer::new(audience)
        .leeway(tokens.leeway.duration())
        .clock(clock.clone());
    if let Some(url) = &tokens.public_url {
        server = server.public_url(url);
    }
    if let Some(file) = &tokens.root_certificates_file {
        let wrong = |error| ConfigError::at("tokens", error, "correct [tokens], [[issuers]] and [services]");
        server = server.root_file(file).map_err(wrong)?;
    }
    if let Some(proxies) = &tokens.client_certificates {
        let (header, from) = certificates::of_guard(proxies);
        server = server.client_certificates_from(header, from);
    } else if config.listen.client_certificates {
        // From nobody; but the metadata says that certificates count.
        server = server.client_certificates_from(CertificateHeader::ClientCert, Vec::<String>::new());
    }
    if let Some(services) = &config.services {
        server = server.services(calling(services));
    }
    if let Some(spiffe) = &config.spiffe {
        server = server.spiffe(workloads(spiffe)?);
    }
    for (at, named) in config.issuers.iter().enumerate() {
        let earlier = config.issuers.iter().take(at);
        if earlier.into_iter().any(|other| other.issuer == named.issuer) {
            let what = format!("{:?} stands twice", named.issuer);
            return Err(ConfigError::at(
                format!("issuers[{at}].issuer"),
                what,
                "take one of the two away",
            ));
        }
        let issuer = issuer(at, named, tokens.key_folder.as_deref())?;
        server = server.issuer(match feeds.get(&named.issuer) {
            Some(feed) => issuer.revocations(feed),
            None => issuer,
        });
    }
    Ok(server)
}

fn calling(config: &config::Services) -> Services {
    let mut services = Services::of(&config.issuer, &config.name);
    if config.once {
        services = services.once_for_unsafe_methods();
    }
    if config.bound {
        services = services.bound_to_request();
    }
    match &config.internal_url {
        Some(url) => services.internal_url(url),
        None => services,
    }
}

fn workloads(config: &config::Spiffe) -> Result<Spiffe, ConfigError> {
    let mut spiffe = Spiffe::audience(&config.audience);
    for (at, domain) in config.trust_domains.iter().enumerate() {
        spiffe = match (&domain.bundle_url, &domain.bundle_file) {
            (Some(url), None) => spiffe.bundle(&domain.name, url),
            (None, Some(file)) => spiffe.bundle_file(&domain.name, file),
            _ => {
                return Err(ConfigError::at(
                    format!("spiffe.trust_domains[{at}]"),
                    "needs bundle_url or bundle_file",
                    "say one of the two",
                ));
            }
        };
    }
    Ok(spiffe)
}

fn issuer(at: usize, config: &config::Issuer, key_folder: Option<&Path>) -> Result<Issuer, ConfigError> {
    let name = &config.issuer;
    askable(at, config)?;
    if let Some(introspection) = config.introspection.as_ref().filter(|asked| asked.opaque) {
        return opaque(at, config, introspection);
    }
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
    if let (Some(folder), None) = (key_folder, &config.jwks_file) {
        let digest = primitive::sha256(name.as_bytes());
        issuer = issuer.snapshot(folder.join(format!("{}.json", base64url::encode(&digest[..12]))));
    }
    if let Some(introspection) = &config.introspection {
        issuer = issuer.introspect(asked(at, introspection)?);
    }
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

/// An issuer that is down comes back; one that nobody could ever ask does not.
fn askable(at: usize, config: &config::Issuer) -> Result<(), ConfigError> {
    let key = |member: &str| format!("issuers[{at}].{member}");
    let has_keys = config.jwks_url.is_some() || config.jwks_file.is_some();
    let opaque = config.introspection.as_ref().is_some_and(|asked| asked.opaque);
    match config.issuer.as_str() {
        "" => return Err(ConfigError::at(key("issuer"), "is empty", ISSUER)),
        // It is compared alone.
        _ if has_keys || opaque => {}
        issuer => check_issuer(issuer).map_err(|error| ConfigError::at(key("issuer"), error, ISSUER))?,
    }
    if let Some(file) = config.jwks_file.as_ref().filter(|file| !file.is_file()) {
        let what = format!("{} is no file", file.display());
        return Err(ConfigError::at(
            key("jwks_file"),
            what,
            "name a file with a JWKS (RFC 7517 §5)",
        ));
    }
    let urls = [
        ("jwks_url", config.jwks_url.as_ref()),
        (
            "introspection.url",
            config.introspection.as_ref().map(|asked| &asked.url),
        ),
    ];
    for (member, url) in urls {
        if let Some(url) = url {
            let todo = "write an https URL; http is for this machine alone";
            check_address(url).map_err(|error| ConfigError::at(key(member), error, todo))?;
        }
    }
    Ok(())
}

/// What to write for an issuer.
const ISSUER: &str =
    "write it as it stands in `iss`, such as \"https://auth.example.com\"; http is for this machine alone";

/// An issuer that is asked what each of its tokens says.
fn opaque(
    at: usize,
    config: &config::Issuer,
    introspection: &config::Introspection,
) -> Result<Issuer, ConfigError> {
    let has_keys = config.jwks_url.is_some() || config.jwks_file.is_some() || !config.algorithms.is_empty();
    if has_keys || config.plain_jwt {
        return Err(ConfigError::at(
            format!("issuers[{at}].introspection.opaque"),
            "is for an issuer that is asked about each token, and this one has keys",
            "take `opaque` away, or what is said of keys, algorithms and JWTs",
        ));
    }
    let mut issuer = Issuer::opaque(&config.issuer, asked(at, introspection)?);
    if let Some(prefix) = &introspection.prefix {
        issuer = issuer.prefix(prefix);
    }
    Ok(issuer.may_lack(&introspection.may_lack))
}

fn asked(at: usize, config: &config::Introspection) -> Result<Introspection, ConfigError> {
    let wrong = |error: &dyn std::fmt::Display| {
        let key = format!("issuers[{at}].introspection.client_secret_file");
        ConfigError::at(
            key,
            error,
            "name a file that holds the secret and is its owner's alone",
        )
    };
    let secret = secret_file::read_or_say(&config.client_secret_file).map_err(|error| wrong(&error))?;
    let secret = std::str::from_utf8(&secret).map_err(|error| wrong(&error))?;
    if secret.is_empty() {
        return Err(wrong(&"the file is empty"));
    }
    let introspection = Introspection::at(&config.url, &config.client_id, secret);
    Ok(introspection.cache(config.cache.duration()))
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
