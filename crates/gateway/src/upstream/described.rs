//! What the operator says of a service, as far as it can be wrong.
//!
//! Spec: RFC 3986 §3.2 (authority)

use carnet_client::error::ClientError;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Uri};
use url::Url;

use crate::balance::Server;
use crate::config;
use crate::load::{ConfigError, no_time};
use crate::target;

/// What of its description makes no service.
#[derive(Debug)]
pub enum Unmade {
    /// One of `urls` is not scheme, host and port alone.
    Url(String),
    /// One of them says who we are.
    Account,
    /// `health_path` is no path.
    HealthPath(String),
    /// A time that is none.
    Time(&'static str),
    /// `eject_after` is zero.
    Eject,
    /// A certificate or a key.
    Connection(ClientError),
}

impl Unmade {
    /// Refuses what would never do, whatever the service is.
    pub(crate) fn check(config: &config::Upstream) -> Result<(), Self> {
        // First: whatever else is wrong is told with the URL.
        if config.urls.iter().any(|url| url.contains('@')) {
            return Err(Self::Account);
        }
        for (member, time) in [
            ("health_interval", config.health_interval),
            ("idle_timeout", config.idle_timeout),
            ("connect_timeout", config.connect_timeout),
            ("answer_timeout", config.answer_timeout),
            ("eject_for", config.eject_for),
        ] {
            if time.duration().is_zero() {
                return Err(Self::Time(member));
            }
        }
        if config.eject_after == 0 {
            return Err(Self::Eject);
        }
        // The target of the request is this, as it stands.
        match &config.health_path {
            Some(path) if !is_path(path) => Err(Self::HealthPath(path.clone())),
            _ => Ok(()),
        }
    }

    /// As said of this one of `[[upstreams]]`.
    pub(crate) fn at(self, at: usize) -> ConfigError {
        let key = |member: &str| format!("upstreams[{at}].{member}");
        match self {
            Self::Url(url) => ConfigError::at(
                key("urls"),
                format_args!("{url:?} is no server: scheme, host and port, and no path"),
                "write as in \"http://10.0.0.7:8080\"; paths belong to [[routes]]",
            ),
            Self::Account => ConfigError::at(
                key("urls"),
                "has a name or a password in front of a host: no service would hear of either",
                "write scheme, host and port alone, as in \"http://10.0.0.7:8080\"",
            ),
            Self::Time(member) => no_time(&key(member)),
            Self::Eject => ConfigError::at(
                key("eject_after"),
                "would leave servers alone that have not failed",
                "write 1 or more; a large number for a server that is never left alone",
            ),
            Self::HealthPath(path) => ConfigError::at(
                key("health_path"),
                format_args!("{path:?} is no path"),
                "write as in \"/health\"",
            ),
            Self::Connection(error) => ConfigError::at(
                format!("upstreams[{at}]"),
                error,
                "certificates and keys are PEM files, the key for its owner alone: see docs/internal-network.md",
            ),
        }
    }
}

impl From<ClientError> for Unmade {
    fn from(error: ClientError) -> Self {
        Self::Connection(error)
    }
}

/// Not with the name of a host in front, or with what browsers keep for themselves behind it.
fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.starts_with("//") && text.is_ascii() && !text.contains('#')
}

pub(super) fn server(url: &str) -> Result<Server, Unmade> {
    let refuse = || Unmade::Url(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| refuse())?;
    // http leaves out what follows a `#`, and takes numbers for the name of a host that are no address.
    if url.contains('#') || Url::parse(url).is_err() {
        return Err(refuse());
    }
    let parts = uri.into_parts();
    let bare = parts.path_and_query.is_none_or(|path| path == "/");
    // A port that is none would be taken for the usual one.
    let names_one =
        |authority: &Authority| target::host(authority.as_str()).is_ok_and(|(_, port)| port != Some(0));
    match (parts.scheme, parts.authority.filter(names_one)) {
        (Some(scheme), Some(authority)) if bare && (scheme == Scheme::HTTP || scheme == Scheme::HTTPS) => {
            let host = HeaderValue::from_str(authority.as_str()).map_err(|_| refuse())?;
            Ok(Server::new(scheme, authority, host))
        }
        _ => Err(refuse()),
    }
}
