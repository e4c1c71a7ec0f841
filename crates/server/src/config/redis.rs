//! `[redis]`: where services that do not follow the feed look up what was taken back.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::fault::{Fault, fault};
use super::files::{certificates, private, readable};
use crate::redis_keys::Target;

/// `[redis]`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Redis {
    /// A file, mode 0600, with the `redis://` or `rediss://` URL; when given, the keys are written.
    pub url_file: Option<PathBuf>,
    /// PEM certificates that the chain of a `rediss://` server must lead to; the system's when not given.
    pub root_certificates_file: Option<PathBuf>,
}

/// The very thing that the writer will do with the files. What is wrong is said without the URL: it has a password.
pub(super) fn check_redis(redis: &Redis) -> Result<(), Fault> {
    const ROOTS: &str = "redis.root_certificates_file";
    if let Some(file) = &redis.root_certificates_file {
        readable(ROOTS, file)?;
        certificates(ROOTS, file)?;
    }
    let Some(file) = &redis.url_file else {
        return match redis.root_certificates_file {
            None => Ok(()),
            Some(_) => Err(fault(
                ROOTS,
                "is given without redis.url_file",
                "give both, or none",
            )),
        };
    };
    private("redis.url_file", file)?;
    let roots = redis.root_certificates_file.as_deref();
    Target::read(file, roots).map(|_| ()).map_err(|what| {
        let todo = "write one line into the file, such as rediss://user:password@redis.example.com:6379/0 (unusual characters as %XX)";
        fault("redis.url_file", format!("{}: {what}", file.display()), todo)
    })
}

/// The password and every revocation would go through the network for anybody to read, and to change.
pub(super) fn unprotected_redis(redis: &Redis) -> Option<String> {
    let target = Target::read(redis.url_file.as_deref()?, None).ok()?;
    target.is_unprotected().then(|| {
        "redis.url_file: names another machine without TLS, so others in the network can read the password and take keys away; write rediss://"
            .to_owned()
    })
}
