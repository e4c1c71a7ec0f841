//! From a file to a [`Config`], or to an error that says where it is wrong and what to write instead.

use std::fmt;
use std::path::{Path, PathBuf};

use carnet_listen::config_line;
use carnet_listen::value::Ttl;

use crate::config::{self, Config};

/// Reads the file; relative paths in it are taken from its folder.
pub fn load(file: &Path) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|error| ConfigError {
        place: file.display().to_string(),
        what: format!("the configuration cannot be read: {error}"),
        todo: "name a readable file with --config; docs/gateway.md has one to begin with".to_owned(),
    })?;
    let config = parse(&text, file)?;
    // What is left of a file while it is written, or on a full disk: it would close every route.
    if config.routes.is_empty() {
        return Err(ConfigError {
            place: file.display().to_string(),
            what: "has no [[routes]]: nothing would be let through".to_owned(),
            todo: "write one; docs/gateway.md has a file to begin with".to_owned(),
        });
    }
    Ok(config)
}

/// As [`load`], from a text; `file` names it in errors and says where relative paths start.
pub fn parse(text: &str, file: &Path) -> Result<Config, ConfigError> {
    let mut config: Config = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| config_line::of_byte(text, span.start));
        ConfigError {
            place: config_line::place(file, line),
            what: error.message().to_owned(),
            todo: "correct it; docs/gateway.md shows every key with its meaning".to_owned(),
        }
    })?;
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    for path in paths(&mut config) {
        *path = folder.join(&path);
    }
    Ok(config)
}

fn paths(config: &mut Config) -> impl Iterator<Item = &mut PathBuf> {
    let keys = config
        .assertion
        .iter_mut()
        .flat_map(|assertion| std::iter::once(&mut assertion.key_file).chain(&mut assertion.other_key_files));
    let exchange = config.exchange.iter_mut();
    let secrets = keys.chain(exchange.map(|exchange| &mut exchange.client_secret_file));
    let listen = [
        &mut config.listen.tls_certificate_file,
        &mut config.listen.tls_key_file,
        &mut config.tokens.root_certificates_file,
        &mut config.tokens.key_folder,
    ];
    let (mut issuers, mut secrets_of_issuers) = (Vec::new(), Vec::new());
    for issuer in &mut config.issuers {
        issuers.push(&mut issuer.jwks_file);
        let introspection = issuer.introspection.as_mut();
        secrets_of_issuers.extend(introspection.map(|asked| &mut asked.client_secret_file));
        let feed = issuer.revocations.as_mut();
        secrets_of_issuers.extend(feed.map(|feed| &mut feed.client_secret_file));
    }
    let upstreams = config.upstreams.iter_mut().flat_map(|upstream| {
        [
            &mut upstream.root_certificates_file,
            &mut upstream.client_certificate_file,
            &mut upstream.client_key_file,
        ]
    });
    let spiffe = config
        .spiffe
        .iter_mut()
        .flat_map(|spiffe| &mut spiffe.trust_domains);
    let bundles = spiffe.filter_map(|domain| domain.bundle_file.as_mut());
    let bff = config.bff.iter_mut().flat_map(config::bff::Bff::paths);
    listen
        .into_iter()
        .chain(issuers)
        .chain(upstreams)
        .flatten()
        .chain(bundles)
        .chain(secrets)
        .chain(secrets_of_issuers)
        .chain(bff)
}

/// Why a configuration is not taken: where, what, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file and its line, or the key.
    pub place: String,
    /// What is wrong there.
    pub what: String,
    /// What to write instead.
    pub todo: String,
}

/// Takes no time that is none: nothing happens in it.
///
/// # Errors
/// Names the key.
pub(crate) fn some_time(key: &str, time: Ttl) -> Result<(), ConfigError> {
    match time.duration().is_zero() {
        true => Err(no_time(key)),
        false => Ok(()),
    }
}

/// What is wrong with a time that is none.
pub(crate) fn no_time(key: &str) -> ConfigError {
    ConfigError::at(key, "is no time at all", "write one such as \"10s\"")
}

impl ConfigError {
    /// About this key.
    pub(crate) fn at(key: impl Into<String>, what: impl fmt::Display, todo: &str) -> Self {
        Self {
            place: key.into(),
            what: what.to_string(),
            todo: todo.to_owned(),
        }
    }

    /// The same, of a key in this file, with its line there.
    #[must_use]
    pub fn in_file(self, file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        match config_line::of_key(&text, &self.place) {
            Some(line) => Self {
                place: config_line::place(file, Some(line)),
                what: format!("{}: {}", self.place, self.what),
                ..self
            },
            None => self,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n{}", self.place, self.what, self.todo)
    }
}

impl std::error::Error for ConfigError {}
