//! `[revocation_feed]`: how resource servers follow what is taken back.

use serde::{Deserialize, Serialize};

use super::fault::{Fault, fault};
use carnet_listen::value::Ttl;

/// `[revocation_feed]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RevocationFeed {
    /// How often a consumer hears that nothing has happened.
    pub heartbeat: Ttl,
    /// Consumers that follow at the same time.
    pub max_consumers: usize,
    /// How many of them may be one consumer: the instances of one API.
    pub max_streams_per_consumer: usize,
}

impl Default for RevocationFeed {
    fn default() -> Self {
        Self {
            heartbeat: Ttl::seconds(5),
            max_consumers: 1_000,
            max_streams_per_consumer: 250,
        }
    }
}

/// Consumers give up a stream that has been silent for fifteen seconds.
pub(super) fn check_revocation_feed(feed: &RevocationFeed) -> Result<(), Fault> {
    if !(100..=10_000).contains(&feed.heartbeat.millis()) {
        return Err(fault(
            "revocation_feed.heartbeat",
            "is shorter than 100ms or longer than 10s",
            "write \"5s\"",
        ));
    }
    for (key, most) in [
        ("revocation_feed.max_consumers", feed.max_consumers),
        (
            "revocation_feed.max_streams_per_consumer",
            feed.max_streams_per_consumer,
        ),
    ] {
        if most == 0 {
            return Err(fault(key, "is 0: nobody could follow", "write at least 1"));
        }
    }
    Ok(())
}
