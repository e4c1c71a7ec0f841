//! What is counted, for Prometheus.
//!
//! Spec: OpenMetrics 1.0

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use carnet_client::revocations::Status;
use http::StatusCode;

use std::sync::Arc;

use crate::record::Record;
use crate::series::Series;

/// Every counter of a gateway.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    refusals: Family<Refused, Counter>,
    seconds: Family<OfRoute, Histogram>,
    reloads: Family<Outcome, Counter>,
    /// Of requests without a route.
    nowhere: Series,
    servers: Family<OfServer, Gauge>,
    ejections: Family<OfServer, Counter>,
    illnesses: Family<OfServer, Counter>,
}

/// A server of a service, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerReport {
    /// The service.
    pub(crate) upstream: String,
    /// Host and port.
    pub(crate) server: String,
    /// Whether requests go there.
    pub(crate) asked: bool,
    /// How often it was left alone since the last report.
    pub(crate) ejections: u64,
    /// How often it began to fail its health check since the last report.
    pub(crate) illnesses: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfServer {
    upstream: String,
    server: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: Arc<str>,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRoute {
    route: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfIssuer {
    issuer: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("carnet_gateway");
        let requests = Family::default();
        let refusals = Family::default();
        let seconds = Family::new_with_constructor(buckets as fn() -> Histogram);
        let reloads = Family::default();
        let (servers, ejections, illnesses) = (Family::default(), Family::default(), Family::default());
        registry.register("requests", "Requests, by route and status", requests.clone());
        registry.register(
            "refusals",
            "Answers of the gateway itself, by stable code",
            refusals.clone(),
        );
        registry.register("seconds", "Until the head of the answer", seconds.clone());
        registry.register("reloads", "Configurations that were read again", reloads.clone());
        registry.register("server_asked", "Whether requests go to a server", servers.clone());
        registry.register(
            "server_ejections",
            "How often a server failed so often that it was left alone",
            ejections.clone(),
        );
        registry.register(
            "server_health_failures",
            "How often a server began to fail its health check",
            illnesses.clone(),
        );
        Self {
            registry,
            requests,
            refusals,
            seconds,
            reloads,
            nowhere: Series::default(),
            servers,
            ejections,
            illnesses,
        }
    }
}

impl Metrics {
    pub(crate) fn count(&self, record: &Record, status: StatusCode) {
        let (series, status) = (record.route.as_deref().unwrap_or(&self.nowhere), status.as_u16());
        let answers = || {
            let route = Arc::clone(&series.name);
            self.requests.get_or_create_owned(&Answered { route, status })
        };
        match series.usual.get_or_init(|| (status, answers())) {
            (usual, counter) if *usual == status => counter.inc(),
            _ => answers().inc(),
        };
        let seconds = series.seconds.get_or_init(|| {
            let route = Arc::clone(&series.name);
            self.seconds.get_or_create_owned(&OfRoute { route })
        });
        seconds.observe(record.took().as_secs_f64());
        if !record.code.is_empty() {
            self.refusals.get_or_create(&Refused { code: record.code }).inc();
        }
    }

    pub(crate) fn reloaded(&self, taken: bool) {
        let outcome = if taken { "taken" } else { "refused" };
        self.reloads.get_or_create(&Outcome { outcome }).inc();
    }

    /// How the servers of every service are now. Those that are not named any more are forgotten.
    pub(crate) fn servers(&self, reports: impl Iterator<Item = ServerReport>) {
        self.servers.clear();
        for report in reports {
            let of = OfServer {
                upstream: report.upstream,
                server: report.server,
            };
            self.servers.get_or_create(&of).set(report.asked.into());
            self.ejections.get_or_create(&of).inc_by(report.ejections);
            self.illnesses.get_or_create(&of).inc_by(report.illnesses);
        }
    }

    /// As Prometheus reads it, with the state of each issuer's revocation feed.
    pub fn text<'i>(&self, feeds: impl Iterator<Item = (&'i str, Status)>) -> String {
        let mut text = String::new();
        let written = encode_registry(&mut text, &self.registry)
            .and_then(|()| encode_registry(&mut text, &of_feeds(feeds)))
            .and_then(|()| encode_eof(&mut text));
        match written {
            Ok(()) => text,
            Err(_) => String::new(),
        }
    }
}

/// Made anew for each look: an issuer that is followed no longer leaves nothing behind.
fn of_feeds<'i>(feeds: impl Iterator<Item = (&'i str, Status)>) -> Registry {
    let available = Family::<OfIssuer, Gauge>::default();
    let entries = Family::<OfIssuer, Gauge>::default();
    let age = Family::<OfIssuer, Gauge<f64, AtomicU64>>::default();
    for (issuer, status) in feeds {
        let of = OfIssuer {
            issuer: issuer.to_owned(),
        };
        let count = i64::try_from(status.entries).unwrap_or(i64::MAX);
        entries.get_or_create(&of).set(count);
        available.get_or_create(&of).set(i64::from(status.available));
        // Before the first word there is none.
        if let Some(known) = status.age {
            age.get_or_create(&of).set(known.as_secs_f64());
        }
    }
    let mut registry = Registry::with_prefix("carnet_gateway_revocations");
    registry.register(
        "available",
        "Whether tokens of the issuer can be told good from taken back",
        available,
    );
    registry.register("entries", "What the issuer has taken back, in memory", entries);
    registry.register(
        "age_seconds",
        "Since the issuer last said that nothing more is known",
        age,
    );
    registry
}

fn buckets() -> Histogram {
    Histogram::new(BUCKETS)
}

const BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
