//! How often callers may ask. Who has used up a limit has used it up after a reload too.

use std::sync::Arc;

use super::Site;
use crate::config::{Config, RateLimit, Route};
use crate::limit::Limit;
use crate::load::ConfigError;

/// How many tokens that are none an address may show.
pub(super) fn failures(config: &Config, before: Option<&Site>) -> Result<Arc<Limit>, ConfigError> {
    let limit = &config.tokens.failure_limit;
    let same = before.filter(|before| before.config.tokens.failure_limit == *limit);
    match same {
        Some(before) => Ok(before.failures.clone()),
        None => made(
            limit,
            "tokens.failure_limit".to_owned(),
            "{ requests = 60, per = \"1m\" }",
        ),
    }
}

/// The limit of a route, if it has one: that of the route of the same requests, where it says the same.
pub(super) fn of_route(
    key: &str,
    route: &Route,
    before: Option<&Site>,
) -> Result<Option<Arc<Limit>>, ConfigError> {
    let Some(limit) = &route.rate_limit else {
        return Ok(None);
    };
    let is_same = |known: &Route| {
        let same_requests =
            (&known.path, &known.hosts, &known.methods) == (&route.path, &route.hosts, &route.methods);
        same_requests && known.rate_limit == route.rate_limit
    };
    let known = before.and_then(|before| {
        let at = before.config.routes.iter().position(is_same)?;
        before.routes.get(at)?.limit.clone()
    });
    match known {
        Some(known) => Ok(Some(known)),
        None => {
            let example = "{ requests = 100, per = \"1m\", burst = 20 }";
            made(limit, format!("{key}.rate_limit"), example).map(Some)
        }
    }
}

fn made(limit: &RateLimit, key: String, example: &str) -> Result<Arc<Limit>, ConfigError> {
    let made = Limit::new(limit).ok_or_else(|| {
        let todo = format!("write as in {example}");
        ConfigError::at(key, "is no limit: it has a zero", &todo)
    });
    made.map(Arc::new)
}
