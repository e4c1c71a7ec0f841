//! Who may pass a route, and who does.
//!
//! Spec: RFC 6750 §3 · RFC 9470 §3

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use carnet_guard::{Auth, Caller, Guard, Refused, Rule};
use http::HeaderMap;
use http::request::Parts;

use crate::watch::UntilRefused;

/// Who may pass.
#[derive(Debug)]
pub(super) enum Access {
    Everybody,
    Bearer {
        guard: Guard,
        rule: Option<Rule>,
    },
    /// These services, by tokens of their own; users beside them, when `users` says so.
    Services {
        guard: Guard,
        names: Vec<String>,
        users: Option<Option<Rule>>,
    },
}

/// Who passes.
#[derive(Debug)]
pub enum Admitted {
    /// Nobody was asked for.
    Anybody,
    /// A user, by an access token.
    User(Auth),
    /// A service, by a token of its own.
    Service(Caller),
}

impl Admitted {
    /// The user, when it is one.
    pub const fn user(&self) -> Option<&Auth> {
        match self {
            Self::User(auth) => Some(auth),
            Self::Anybody | Self::Service(_) => None,
        }
    }

    /// When its token expires, in seconds since 1970.
    pub(crate) fn expires(&self) -> Option<u64> {
        match self {
            Self::Anybody => None,
            Self::User(auth) => auth.expires(),
            Self::Service(service) => service.expires(),
        }
    }

    /// Subject, client and name of the token, for the log; empty where there is none.
    pub(crate) fn named(&self) -> (&str, &str, &str) {
        match self {
            Self::Anybody => ("", "", ""),
            Self::User(auth) => (auth.sub(), auth.client_id(), auth.jti()),
            Self::Service(service) => ("", service.name(), service.jti()),
        }
    }
}

impl Access {
    pub(super) async fn admit(&self, parts: &Parts) -> Result<Admitted, Refused> {
        match self {
            Self::Everybody => Ok(Admitted::Anybody),
            Self::Bearer { guard, rule } => user(guard, rule.as_ref(), parts).await,
            Self::Services {
                guard,
                users: Some(rule),
                ..
            } if !guard.is_from_service(parts) => user(guard, rule.as_ref(), parts).await,
            Self::Services { guard, names, .. } => {
                guard.check_caller(parts, names).await.map(Admitted::Service)
            }
        }
    }

    /// Comes when a new request with the caller's token would be refused, for another reason than that it expires; `None` where that is
    /// not followed. For workloads it never comes.
    pub(super) fn until_refused(&self, caller: &Admitted) -> Option<UntilRefused> {
        let (Self::Bearer { guard, .. } | Self::Services { guard, .. }) = self else {
            return None;
        };
        match caller {
            Admitted::User(auth) if guard.follows(auth) => Some(Box::pin(guard.until_taken_back(auth))),
            Admitted::Service(service) => Some(Box::pin(guard.until_refused(service))),
            Admitted::User(_) | Admitted::Anybody => None,
        }
    }

    /// The answer to who may not. It says so by HTTP even to who speaks gRPC: whoever counts refusals counts statuses, and each client of gRPC
    /// makes the same of it.
    pub(super) fn refusal(&self, refused: &Refused) -> Response {
        match self {
            Self::Everybody => refused.clone().into_response(),
            Self::Bearer { guard, .. } | Self::Services { guard, .. } => {
                guard.refusal(refused, &HeaderMap::new()).map(Body::from)
            }
        }
    }
}

async fn user(guard: &Guard, rule: Option<&Rule>, parts: &Parts) -> Result<Admitted, Refused> {
    let auth = guard.check(parts).await?;
    if let Some(rule) = rule {
        rule.check(&auth)?;
    }
    Ok(Admitted::User(auth))
}
