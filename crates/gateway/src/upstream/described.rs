//! What the operator says of a service, as far as it can be wrong.
//!
//! Spec: RFC 3986 §3.2 (authority)

use carnet_client::error::ClientError;
use http::uri::Scheme;
use http::{HeaderValue, Uri};

use crate::balance::Server;
use crate::load::ConfigError;

/// What of its description makes no service.
#[derive(Debug)]
pub enum Unmade {
    /// One of `urls` is not scheme, host and port alone.
    Url(String),
    /// `health_path` is no path.
    HealthPath(String),
    /// A certificate or a key.
    Connection(ClientError),
}

impl Unmade {
    /// As said of this one of `[[upstreams]]`.
    pub(crate) fn at(self, at: usize) -> ConfigError {
        let key = |member: &str| format!("upstreams[{at}].{member}");
        match self {
            Self::Url(url) => ConfigError::at(
                key("urls"),
                format_args!("{url:?} is no server: scheme, host and port, and no path"),
                "write as in \"http://10.0.0.7:8080\"; paths belong to [[routes]]",
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

pub(super) fn server(url: &str) -> Result<Server, Unmade> {
    let refuse = || Unmade::Url(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| refuse())?;
    let parts = uri.into_parts();
    let bare = parts.path_and_query.is_none_or(|path| path == "/");
    match (parts.scheme, parts.authority) {
        (Some(scheme), Some(authority)) if bare && (scheme == Scheme::HTTP || scheme == Scheme::HTTPS) => {
            let host = HeaderValue::from_str(authority.as_str()).map_err(|_| refuse())?;
            Ok(Server::new(scheme, authority, host))
        }
        _ => Err(refuse()),
    }
}
