//! What is counted of one route, found once: a request then costs no look at all series.
//!
//! Spec: OpenMetrics 1.0

use std::sync::{Arc, OnceLock};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

/// The series of a route.
#[derive(Debug, Default)]
pub struct Series {
    /// What the log and the labels call the route.
    pub name: Arc<str>,
    /// How long its answers took.
    pub(crate) seconds: OnceLock<Histogram>,
    /// Its answers of the status that it gave first: most of all.
    pub(crate) usual: OnceLock<(u16, Counter)>,
}

impl Series {
    /// Of the route of this name.
    pub(crate) fn of(name: &str) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            ..Self::default()
        })
    }
}
