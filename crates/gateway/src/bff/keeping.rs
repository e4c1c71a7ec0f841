//! Where the sessions of an app are kept: in memory, in a file, in a database, or in Redis.
//!
//! Spec: RFC 10017 §6.1.3.2

use std::path::Path;

use carnet_client::key_file;
use carnet_store::{BffSessions, Engine, RedisServer, RedisSessions, Store, StoreConfig};

use crate::config::bff::Bff;
use crate::load::ConfigError;

/// Opened. The tables of a database are made where they are missing. A Redis that is down is no error: it may come back.
pub(super) async fn of(config: &Bff) -> Result<BffSessions, ConfigError> {
    let places = [
        ("bff.sqlite_file", &config.sqlite_file),
        ("bff.postgres_url_file", &config.postgres_url_file),
        ("bff.redis_url_file", &config.redis_url_file),
    ];
    let mut named = places
        .into_iter()
        .filter_map(|(key, file)| Some((key, file.as_ref()?)));
    let place = named.next();
    if let Some((other, _)) = named.next() {
        return Err(ConfigError::at(
            other,
            "is a second place for the sessions",
            "name one of them",
        ));
    }
    if let Some((key, _)) = place.filter(|_| config.sealed) {
        return Err(ConfigError::at(
            "bff.sealed",
            format!("and {key} are two places"),
            "name one of the two",
        ));
    }
    let roots_of = [
        (
            "bff.postgres_root_certificates_file",
            &config.postgres_root_certificates_file,
            "bff.postgres_url_file",
        ),
        (
            "bff.redis_root_certificates_file",
            &config.redis_root_certificates_file,
            "bff.redis_url_file",
        ),
    ];
    for (key, roots, of) in roots_of {
        if roots.is_some() && place.is_none_or(|(place, _)| place != of) {
            let what = format!("is given without {of}");
            return Err(ConfigError::at(key, what, "give both, or none"));
        }
    }
    match place {
        None => database("bff", StoreConfig::memory()).await,
        Some((key @ "bff.sqlite_file", file)) => database(key, StoreConfig::sqlite(file)).await,
        Some((key @ "bff.postgres_url_file", file)) => {
            let engine = Engine::Postgres {
                url: text(key, file)?.trim().to_owned(),
                root_certificates: config.postgres_root_certificates_file.clone(),
                pool_size: 8,
            };
            database(key, StoreConfig::of(engine)).await
        }
        Some((key, file)) => redis(key, text(key, file)?.trim(), config),
    }
}

async fn database(key: &str, store: StoreConfig) -> Result<BffSessions, ConfigError> {
    let wrong = |error| ConfigError::at(key, error, "name a database that this gateway may write to");
    if store.engine != Engine::SqliteMemory {
        Store::migrate(&store).await.map_err(wrong)?;
    }
    Store::open(&store)
        .await
        .map(BffSessions::Database)
        .map_err(wrong)
}

fn redis(key: &str, url: &str, config: &Bff) -> Result<BffSessions, ConfigError> {
    let roots = config.redis_root_certificates_file.as_ref();
    let roots = roots.map(|file| {
        let unreadable =
            |error| ConfigError::at("bff.redis_root_certificates_file", error, "name a PEM file");
        std::fs::read(file).map_err(unreadable)
    });
    let server = RedisServer::named(url, roots.transpose()?).map_err(|what| {
        let todo = "write one line into the file, such as rediss://user:password@redis.example.com:6379/0";
        ConfigError::at(key, what, todo)
    })?;
    if server.is_unprotected() {
        tracing::warn!(
            "{key}: names another machine without TLS, so others in the network can read its password and end sessions; write rediss://"
        );
    }
    let app = format!("{}\0{}", config.issuer, config.client_id);
    Ok(BffSessions::Redis(RedisSessions::of(server, &app)))
}

/// A secret from a file.
pub(super) fn text(key: &str, file: &Path) -> Result<zeroize::Zeroizing<String>, ConfigError> {
    let todo = "name a file with a line of text that only its owner reads";
    let bytes = key_file::secret(file).map_err(|error| ConfigError::at(key, error, todo))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| ConfigError::at(key, error, todo))?;
    if text.is_empty() {
        return Err(ConfigError::at(key, "the file is empty", todo));
    }
    Ok(zeroize::Zeroizing::new(text.to_owned()))
}
