//! A service that calls, as handlers take it.
//!
//! Spec: RFC 7519 §4.1 (iss, jti)

use std::sync::Arc;

use crate::auth::Auth;

/// The service that calls, on routes inside [`Guard::caller_in`](crate::Guard::caller_in). It is never a user: [`Auth`](crate::Auth) is.
///
/// ```
/// use carnet_guard::Caller;
///
/// async fn close(caller: Caller) -> String {
///     format!("closed for {}", caller.name())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    name: Arc<str>,
    id: Arc<str>,
    jti: Arc<str>,
}

impl Caller {
    pub(crate) fn new(name: Arc<str>, id: &str, jti: &str) -> Self {
        Self {
            name,
            id: id.into(),
            jti: jti.into(),
        }
    }

    /// Its `client_id` at the authorization server; the SPIFFE ID of a workload.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its name in tokens: the URL that `iss` and `sub` say; the SPIFFE ID of a workload.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name of the token that it showed; empty where a JWT-SVID has none.
    pub fn jti(&self) -> &str {
        &self.jti
    }
}

/// Who calls a route that users and services may call: one inside [`CallerLayer::or_users`](crate::CallerLayer::or_users).
#[derive(Clone, Debug)]
pub enum UserOrService {
    /// A user, by an access token.
    User(Auth),
    /// A service, by a token of its own.
    Service(Caller),
}
