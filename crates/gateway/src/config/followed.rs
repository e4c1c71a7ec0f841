//! `revocations` of `[[issuers]]`: where an issuer tells what it has taken back, and what happens when it does not.
//!
//! Spec: RFC 7009 §2.1 · RFC 6749 §2.3.1 (client_secret_basic)

use std::path::PathBuf;
use std::time::Duration;

use carnet_listen::value::Ttl;
use serde::Deserialize;

/// `revocations` of `[[issuers]]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Followed {
    /// The feed; the issuer's URL with `/revocations` behind it when not said.
    pub url: Option<String>,
    /// The name that the issuer knows the gateway by: the `introspection_id` of a resource.
    pub client_id: String,
    /// The file with its secret, readable by its owner alone.
    pub client_secret_file: PathBuf,
    /// What happens when the feed is lost.
    #[serde(default)]
    pub on_loss: Lost,
    /// With `closed`: after how long without a word; 30s when not said.
    pub after: Option<Ttl>,
}

/// What happens when nothing is heard of a feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lost {
    /// Requests get 503, and streams end.
    #[default]
    Closed,
    /// Tokens are good as far as is known.
    Open,
}

/// A heartbeat is due every five seconds.
pub const SHORTEST_AFTER: Duration = Duration::from_secs(6);
