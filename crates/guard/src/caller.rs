//! A service that calls, as handlers take it.
//!
//! Spec: RFC 7519 §4.1 (iss, exp, jti)

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
#[derive(Clone, Debug)]
pub struct Caller {
    name: Arc<str>,
    id: Arc<str>,
    jti: Arc<str>,
    expires: Option<u64>,
    shown: Option<Shown>,
}

/// A token that a service has signed, for whoever looks at it once more.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) token: Arc<str>,
    /// When it was let in.
    pub(crate) at: u64,
}

impl PartialEq for Caller {
    /// When the token was looked at says nothing of who has sent it.
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.id, &self.jti, self.expires) == (&other.name, &other.id, &other.jti, other.expires)
    }
}

impl Eq for Caller {}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shown")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl Caller {
    /// `token` is the name of the token that it showed, and when it expires.
    pub(crate) fn new(name: Arc<str>, id: &str, (jti, expires): (&str, Option<u64>)) -> Self {
        Self {
            name,
            id: id.into(),
            jti: jti.into(),
            expires,
            shown: None,
        }
    }

    /// It has signed this itself.
    pub(crate) fn has_shown(self, token: &str, at: u64) -> Self {
        let token = token.into();
        Self {
            shown: Some(Shown { token, at }),
            ..self
        }
    }

    pub(crate) const fn shown(&self) -> Option<&Shown> {
        self.shown.as_ref()
    }

    /// Its `client_id` at the authorization server; the SPIFFE ID of a workload.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its name in tokens: the URL that `iss` and `sub` say; the SPIFFE ID of a workload. Where plain headers of a gateway say who calls, the same as
    /// [`name`](Self::name): they say no more.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name of the token that it showed; empty where a JWT-SVID has none, and behind a gateway.
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// When its token expires, in seconds since 1970; behind a gateway, when the gateway's word does. `None` where plain headers say who calls.
    pub fn expires(&self) -> Option<u64> {
        self.expires
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
