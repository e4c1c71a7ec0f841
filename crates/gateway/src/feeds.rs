//! The feeds by which issuers tell what they have taken back: one for each issuer, kept for as long as nothing else is said of it.
//!
//! Spec: RFC 7009 §2.1

use std::collections::HashMap;
use std::sync::Arc;

use carnet_guard::{OnLoss, Revocations};
use carnet_listen::secret_file;
use carnet_oauth::revocation;
use zeroize::Zeroizing;

use crate::config::{self, Config, Followed, Lost};
use crate::contents::Contents;
use crate::load::ConfigError;

/// By the issuer's name.
#[derive(Debug, Default)]
pub(crate) struct Feeds(HashMap<String, Arc<Feed>>);

struct Feed {
    followed: Revocations,
    /// What it was made of.
    config: config::Issuer,
    secret: Zeroizing<Vec<u8>>,
}

impl Feeds {
    /// Those of a configuration and its files. What is followed already, and would be followed in the same way, goes on: `before`, unless somebody
    /// else is trusted to be the issuer by now.
    ///
    /// # Errors
    /// Says which key is wrong. Nobody is asked anything yet.
    pub(crate) fn of(
        (config, contents): (&Config, &Contents),
        before: Option<(&Self, &Contents)>,
    ) -> Result<Self, ConfigError> {
        let mut feeds = HashMap::new();
        for (at, issuer) in config.issuers.iter().enumerate() {
            let Some(followed) = &issuer.revocations else {
                continue;
            };
            let secret = secret(at, followed)?;
            let known = before.and_then(|(feeds, files)| {
                // What it signs its messages with.
                let same_keys = contents.agree(files, &issuer.jwks_file);
                let known = feeds.0.get(&issuer.issuer).filter(|_| same_keys)?;
                (known.config == *issuer && *known.secret == *secret).then(|| Arc::clone(known))
            });
            let feed = match known {
                Some(known) => known,
                None => Arc::new(Feed {
                    followed: feed(at, issuer, (followed, &secret))?,
                    config: issuer.clone(),
                    secret,
                }),
            };
            feeds.insert(issuer.issuer.clone(), feed);
        }
        Ok(Self(feeds))
    }

    /// What the issuer of this name tells.
    pub(crate) fn get(&self, issuer: &str) -> Option<Revocations> {
        self.0.get(issuer).map(|feed| feed.followed.clone())
    }

    /// What the issuers are known to have taken back stays so, until those that are followed in another way from now on have said it anew.
    pub(crate) fn succeed(&self, before: &Self) {
        for (issuer, feed) in &self.0 {
            if let Some(known) = before.0.get(issuer) {
                feed.followed.succeed(&known.followed);
            }
        }
    }

    /// Whether both follow the same, and together.
    pub(crate) fn is_as(&self, other: &Self) -> bool {
        let same = |(name, feed): (&String, &Arc<Feed>)| {
            let known = other.0.get(name);
            known.is_some_and(|known| Arc::ptr_eq(known, feed))
        };
        self.0.len() == other.0.len() && self.0.iter().all(same)
    }
}

fn secret(at: usize, followed: &Followed) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
    let key = format!("issuers[{at}].revocations.client_secret_file");
    let todo = "name a file with the introspection secret that the issuer knows, readable by its owner alone";
    let secret = secret_file::read_or_say(&followed.client_secret_file);
    let secret = secret.map_err(|error| ConfigError::at(key.clone(), error, todo))?;
    match std::str::from_utf8(&secret) {
        Ok(text) if !text.is_empty() => Ok(secret),
        Ok(_) => Err(ConfigError::at(key, "the file is empty", todo)),
        Err(error) => Err(ConfigError::at(key, error, todo)),
    }
}

fn feed(
    at: usize,
    issuer: &config::Issuer,
    (followed, secret): (&Followed, &[u8]),
) -> Result<Revocations, ConfigError> {
    let key = |member: &str| format!("issuers[{at}].revocations.{member}");
    if followed.client_id.is_empty() {
        let todo = "write the introspection_id of the resource that the gateway is";
        return Err(ConfigError::at(key("client_id"), "is empty", todo));
    }
    let on_loss = match (followed.on_loss, followed.after) {
        (Lost::Closed, None) => OnLoss::default(),
        (Lost::Closed, Some(after)) if after.duration() < config::SHORTEST_AFTER => {
            let what = "is shorter than the time in which a feed that is well may be silent";
            let todo = "write \"6s\" or more; \"15s\" bears a heartbeat that is lost";
            return Err(ConfigError::at(key("after"), what, todo));
        }
        (Lost::Closed, Some(after)) => OnLoss::Closed(after.duration()),
        (Lost::Open, None) => OnLoss::Open,
        (Lost::Open, Some(_)) => {
            let what = "is for on_loss = \"closed\": an open gateway never closes";
            return Err(ConfigError::at(key("after"), what, "take one of the two away"));
        }
    };
    let usual = || format!("{}{}", issuer.issuer.trim_end_matches('/'), revocation::PATH);
    let url = followed.url.clone().unwrap_or_else(usual);
    let read = url::Url::parse(&url).ok();
    if !read.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
        let what = format!("{url:?} is no URL of a feed");
        let todo = "write one such as \"https://auth.example.com/revocations\"";
        return Err(ConfigError::at(key("url"), what, todo));
    }
    let secret = String::from_utf8_lossy(secret);
    Ok(Revocations::feed(url, &followed.client_id, secret).on_loss(on_loss))
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.followed.fmt(f)
    }
}
