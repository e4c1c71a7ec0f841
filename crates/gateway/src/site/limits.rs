//! How often callers may ask. Who has used up a limit has used it up after a reload too.

use std::sync::Arc;

use super::Site;
use super::pattern::pattern;
use crate::config::{Config, RateLimit, Route};
use crate::limit::Limit;
use crate::load::ConfigError;
use crate::route::Pattern;

/// How many tokens that are none an address may show.
pub(super) fn failures(config: &Config, before: Option<&Site>) -> Result<Arc<Limit>, ConfigError> {
    let limit = &config.tokens.failure_limit;
    if let Some(same) = before.filter(|before| before.config.tokens.failure_limit == *limit) {
        return Ok(same.failures.clone());
    }
    made(limit, "tokens.failure_limit", "{ requests = 60, per = \"1m\" }")
}

/// The limit of a route, if it has one: that of the route of the same requests, where it says the same.
pub(super) fn of_route(
    key: &str,
    (route, requests): (&Route, &Pattern),
    before: Option<&Site>,
) -> Result<Option<Arc<Limit>>, ConfigError> {
    let Some(limit) = &route.rate_limit else {
        return Ok(None);
    };
    let known = before.and_then(|before| {
        let mut routes = before.config.routes.iter();
        let is_same = |known: &Route| pattern(key, known).is_ok_and(|known| known.is_same_as(requests));
        let at = routes.position(|known| known.rate_limit == route.rate_limit && is_same(known))?;
        before.routes.get(at)?.limit.clone()
    });
    if known.is_some() {
        return Ok(known);
    }
    let example = "{ requests = 100, per = \"1m\", burst = 20 }";
    made(limit, format!("{key}.rate_limit"), example).map(Some)
}

fn made(limit: &RateLimit, key: impl Into<String>, example: &str) -> Result<Arc<Limit>, ConfigError> {
    let made = Limit::new(limit).ok_or_else(|| {
        let todo = format!("write as in {example}");
        ConfigError::at(key, "is no limit: it has a zero", &todo)
    });
    made.map(Arc::new)
}
