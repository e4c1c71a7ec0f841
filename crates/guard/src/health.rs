//! How the guard is: the keys of each issuer, in numbers for a page or a metric.
//!
//! Spec: RFC 7517 §5 · RFC 5861 §4 (stale-if-error)

use std::time::Duration;

use carnet_client::jwks::RemoteKeys;

use crate::gateway::Gateway;
use crate::issuer::Source;
use crate::resource_server::Guard;
use crate::spiffe::{OpenSpiffe, TrustDomain};

/// The keys of an issuer, or of the gateway in front of this service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IssuerHealth {
    /// Its `iss`; a trust domain as `spiffe://example.org`.
    pub issuer: String,
    /// Whether tokens of it can be checked. Always so for keys from files and for issuers that are asked about each token.
    pub loaded: bool,
    /// How many keys there are; 0 when it is asked about each token.
    pub keys: usize,
    /// How long ago the issuer last said that these are its keys; `None` when it never did, or when they come from a file.
    pub age: Option<Duration>,
    /// How often its keys were asked for.
    pub fetches: u64,
    /// How often that failed.
    pub failures: u64,
}

/// The bundle of an authorization server's services.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServicesHealth {
    /// The authorization server.
    pub issuer: String,
    /// Whether their tokens can be checked.
    pub loaded: bool,
}

impl Guard {
    /// The keys of every issuer, in the order in which they were named, then of trust domains, those that are asked about each token last.
    pub fn health(&self) -> Vec<IssuerHealth> {
        let trusted = self.parts.trusted.iter();
        let trusted = trusted.map(|trusted| (&trusted.name, &trusted.source));
        let gateway = self.parts.gateway.iter().filter_map(|gateway| match gateway {
            Gateway::Signed(assertions) => Some((&assertions.gateway, &assertions.source)),
            Gateway::Plain(_) => None,
        });
        let signing = trusted.chain(gateway).map(|(name, source)| {
            let health = IssuerHealth {
                issuer: name.clone(),
                loaded: true,
                keys: 0,
                age: None,
                fetches: 0,
                failures: 0,
            };
            match source {
                Source::Fixed(set) => IssuerHealth {
                    keys: set.len(),
                    ..health
                },
                Source::Remote(keys) => of_remote(health.issuer, keys),
            }
        });
        let asked = self.parts.opaque.iter().map(|opaque| IssuerHealth {
            issuer: opaque.name.clone(),
            loaded: true,
            keys: 0,
            age: None,
            fetches: 0,
            failures: 0,
        });
        let domains = self
            .trust_domains()
            .map(|domain| of_remote(format!("spiffe://{}", domain.name), &domain.keys));
        signing.chain(domains).chain(asked).collect()
    }

    /// The bundle of the services that may call, where some may.
    pub fn services_health(&self) -> Option<ServicesHealth> {
        let services = self.parts.services.as_deref()?;
        Some(ServicesHealth {
            issuer: services.issuer.clone(),
            loaded: services.remote.is_loaded(),
        })
    }
}

impl Guard {
    pub(crate) fn trust_domains(&self) -> impl Iterator<Item = &TrustDomain> {
        self.parts.spiffe.iter().flat_map(OpenSpiffe::domains)
    }
}

fn of_remote(issuer: String, keys: &RemoteKeys) -> IssuerHealth {
    let state = keys.health();
    IssuerHealth {
        issuer,
        loaded: state.loaded,
        keys: state.keys,
        age: state.age,
        fetches: state.fetches,
        failures: state.failures,
    }
}
