//! `[bff]`: what the operator says of an app in browsers whose tokens the gateway keeps.

use std::path::PathBuf;

use carnet_listen::value::Ttl;
use serde::Deserialize;

use super::traffic::RateLimit;

/// `[bff]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bff {
    /// Where browsers find the app: scheme, host and port. https, but for `dev_insecure_cookie`.
    pub url: String,
    /// Where the endpoints are.
    #[serde(default = "prefix")]
    pub path: String,
    /// Who logs people in; its metadata names the endpoints.
    pub issuer: String,
    /// The name of this app at the issuer. Its redirect URI ends in `/bff/callback`.
    pub client_id: String,
    /// Its secret there.
    pub client_secret_file: Option<PathBuf>,
    /// Or its own private JWK, as `carnet jwk generate` writes one.
    pub client_key_file: Option<PathBuf>,
    /// Secrets of 32 bytes or more, one a line, the same for every replica: the first seals, all of them open.
    pub key_file: PathBuf,
    /// What is asked for. `openid` is part of it.
    #[serde(default = "openid")]
    pub scope: String,
    /// For whom the access tokens are meant (RFC 8707).
    #[serde(default)]
    pub resources: Vec<String>,
    /// The path that people come to after a logout, when the app names none.
    #[serde(default = "root")]
    pub after_logout: String,
    /// The header without which no request of the app counts; its value is `1`.
    #[serde(default = "csrf_header")]
    pub csrf_header: String,
    /// How long a session may rest.
    #[serde(default = "working_day")]
    pub idle: Ttl,
    /// How long a session lives at most: as long as the issuer's refresh tokens.
    #[serde(default = "week")]
    pub absolute: Ttl,
    /// How many logins an address may begin and end, each counted for itself, and how many logout tokens that are not valid it may show; more are
    /// answered 429. Many people may share an address.
    #[serde(default = "logins")]
    pub login_limit: RateLimit,
    /// What `/bff/user` answers to those who are not logged in.
    #[serde(default)]
    pub anonymous: Anonymous,
    /// Whether a frame of the app may ask the issuer for a login without showing anything.
    #[serde(default)]
    pub silent_login: bool,
    /// Whether the browser carries the sessions itself, sealed: see docs/bff.md for what that cannot do.
    #[serde(default)]
    pub sealed: bool,
    /// Where the sessions are kept, so that they outlive a restart: a SQLite file of the gateway's own.
    pub sqlite_file: Option<PathBuf>,
    /// Or a PostgreSQL database of the gateways' own, for several replicas: a file with its URL, readable by its owner alone.
    pub postgres_url_file: Option<PathBuf>,
    /// PEM file with the roots to trust for it; without it the platform's.
    pub postgres_root_certificates_file: Option<PathBuf>,
    /// Or a Redis or Valkey server, for several replicas: a file with its `redis://` or `rediss://` URL, readable by its owner alone.
    pub redis_url_file: Option<PathBuf>,
    /// PEM file with the roots to trust for it; without it the platform's.
    pub redis_root_certificates_file: Option<PathBuf>,
    /// For development at http://localhost: cookies without `Secure`. Needs a loopback address in `[listen]`.
    #[serde(default)]
    pub dev_insecure_cookie: bool,
}

/// What `/bff/user` answers without a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Anonymous {
    /// 401.
    #[default]
    #[serde(rename = "401")]
    Unauthorized,
    /// 200 with `null`.
    #[serde(rename = "null")]
    Null,
}

impl Bff {
    /// The files that say who the app is at its issuer, and seal its sessions.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &PathBuf> {
        let optional = [&self.client_secret_file, &self.client_key_file];
        optional.into_iter().flatten().chain([&self.key_file])
    }

    /// Those that say where its sessions are kept.
    pub(crate) fn of_store(&self) -> impl Iterator<Item = &PathBuf> {
        self.store_files().into_iter().flatten()
    }

    fn store_files(&self) -> [&Option<PathBuf>; 4] {
        [
            &self.postgres_url_file,
            &self.postgres_root_certificates_file,
            &self.redis_url_file,
            &self.redis_root_certificates_file,
        ]
    }

    /// Whether it is the same app, with its sessions in the same place.
    pub(crate) fn keeps_as(&self, other: &Self) -> bool {
        let same_app =
            (&self.url, &self.issuer, &self.client_id) == (&other.url, &other.issuer, &other.client_id);
        let same_place = (self.sealed, &self.sqlite_file) == (other.sealed, &other.sqlite_file);
        same_app && same_place && self.store_files() == other.store_files()
    }

    /// The files that it names.
    pub(crate) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let optional = [
            &mut self.client_secret_file,
            &mut self.client_key_file,
            &mut self.sqlite_file,
            &mut self.postgres_url_file,
            &mut self.postgres_root_certificates_file,
            &mut self.redis_url_file,
            &mut self.redis_root_certificates_file,
        ];
        optional.into_iter().flatten().chain([&mut self.key_file])
    }
}

fn prefix() -> String {
    "/bff".to_owned()
}

fn openid() -> String {
    "openid".to_owned()
}

fn root() -> String {
    "/".to_owned()
}

fn csrf_header() -> String {
    "X-CSRF".to_owned()
}

/// Everybody in a large house, on a Monday morning; then five logins a second.
const fn logins() -> RateLimit {
    RateLimit {
        requests: 600,
        per: Ttl::minutes(1),
        burst: Some(2000),
    }
}

const fn working_day() -> Ttl {
    Ttl::minutes(8 * 60)
}

const fn week() -> Ttl {
    Ttl::days(7)
}
