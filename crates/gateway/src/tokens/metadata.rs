//! What the gateway says of the APIs behind it, so that a client that was refused finds out where to get a token.
//!
//! Spec: RFC 9728 §2, §3, §5.1

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use carnet_guard::Guard;
use carnet_oauth::protected_resource::well_known_path;
use http::{Method, header};
use url::Url;

use super::rule;
use crate::config::Config;
use crate::target::{self, Target};

/// The audiences that publish metadata, and the scopes that their routes ask for. Where two would publish in the same place, the first does.
pub(crate) fn planned(config: &Config) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut planned: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut taken = BTreeSet::new();
    if !config.tokens.metadata {
        return planned;
    }
    let main = config.tokens.audience.as_deref();
    let public = config.tokens.public_url.as_deref().and_then(url_of);
    let protected = || config.routes.iter().filter(|route| !route.public);
    let others = protected().filter_map(|route| route.audience.as_deref());
    for audience in main.into_iter().chain(others) {
        let Some(resource) = url_of(audience).or_else(|| public.clone()) else {
            continue;
        };
        let origin = public
            .as_ref()
            .unwrap_or(&resource)
            .origin()
            .ascii_serialization();
        if !planned.contains_key(audience) && taken.insert((origin, well_known_path(resource.path()))) {
            planned.insert(audience, BTreeSet::new());
        }
    }
    for route in protected() {
        let audience = route.audience.as_deref().or(main);
        if let Some(scopes) = audience.and_then(|audience| planned.get_mut(audience)) {
            scopes.extend(rule::scopes(route));
        }
    }
    planned
}

fn url_of(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = url.query().is_none() && url.fragment().is_none();
    (plain && matches!(url.scheme(), "http" | "https")).then_some(url)
}

/// What is served, by its path; where two hosts have one path, by both.
#[derive(Debug, Default)]
pub struct Published {
    by_path: HashMap<String, Vec<(String, Bytes)>>,
}

impl Published {
    pub(crate) fn of<'g>(guards: impl Iterator<Item = &'g Guard>) -> Self {
        let mut published = Self::default();
        for metadata in guards.filter_map(Guard::metadata) {
            let host = Url::parse(metadata.url()).ok();
            let host = host.and_then(|url| Some(target::host(url.host_str()?).ok()?.0));
            let there = published.by_path.entry(metadata.path().to_owned()).or_default();
            there.push((host.unwrap_or_default(), metadata.json().clone()));
        }
        published
    }

    /// The answer to who asks for it. Everybody may, scripts of other origins too.
    pub(crate) fn answer(&self, target: &Target, method: &Method) -> Option<Response> {
        let there = self.by_path.get(&target.path)?;
        let asks = matches!(*method, Method::GET | Method::HEAD);
        let named = there.iter().find(|(host, _)| *host == target.host);
        // Inside the network the gateway has other names.
        let alone = || there.first().filter(|_| there.len() == 1);
        let (_, json) = named.or_else(alone).filter(|_| asks)?;
        let headers = [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "public, max-age=300"),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        ];
        Some((headers, Body::from(json.clone())).into_response())
    }
}
