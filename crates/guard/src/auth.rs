//! The caller of a request, as axum handlers take it.
//!
//! Spec: RFC 9068 §2.2 · RFC 8693 §4.1 (act) · RFC 9470 §6.2 (acr, auth_time)

use std::marker::PhantomData;
use std::sync::Arc;

use carnet_jose::Accepted;
use carnet_oauth::identity_assertion;
use http::HeaderValue;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::answer::Denied;
use crate::challenge::Refused;
use crate::request_id::word;
use crate::token::Token;

/// The caller: whoever holds a valid token. `Auth<(ReadOrders, WriteOrders)>` asks for rights as well, and `Auth<(), Tenant>` for claims of
/// that shape, which then stand in `extra`.
///
/// ```
/// use carnet_guard::{Auth, Denied, scope};
///
/// scope!(pub ReadOrders = "read:orders");
///
/// #[derive(serde::Deserialize)]
/// struct Tenant {
///     tenant: String,
/// }
///
/// async fn orders(auth: Auth<ReadOrders, Tenant>) -> Result<String, Denied> {
///     auth.check(auth.extra.tenant != "closed", "the tenant is closed")?;
///     Ok(format!("orders of {} at {}", auth.sub(), auth.extra.tenant))
/// }
/// ```
pub struct Auth<S = (), X = Nothing> {
    /// Claims in a type of the application; [`Nothing`] when none is asked for.
    pub extra: X,
    known: Known,
    /// When the token was checked, in seconds since 1970.
    checked: u64,
    /// How far the issuer's clock may be ahead, in seconds.
    leeway: u64,
    /// Where this API's metadata is (RFC 9728).
    metadata: Option<Arc<str>>,
    /// What its request is called, for the log.
    request_id: Option<HeaderValue>,
    rights: PhantomData<fn() -> S>,
}

/// No claims of the application's own.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Nothing {}

/// How it is known what a token says.
#[derive(Clone)]
pub(crate) enum Known {
    /// It is signed.
    Signed(Arc<Accepted<Token>>),
    /// The gateway in front of us has signed what it says.
    Asserted(Arc<Accepted<Asserted>>),
    /// Its issuer was asked.
    Told(Arc<Token>),
    /// The gateway in front of us says so in plain headers, of which it may have more to say.
    Said(Arc<Token>),
}

/// What a gateway says of a token, read as the token itself: its `iss` is whoever has named the user so.
#[derive(Debug, Deserialize)]
#[serde(from = "Map<String, Value>")]
pub(crate) struct Asserted(pub(crate) Token);

impl From<Map<String, Value>> for Asserted {
    fn from(mut all: Map<String, Value>) -> Self {
        let subject = all.remove("sub_id").unwrap_or_default();
        // RFC 9493 §4.1: by the one or by the other, never by a part of each.
        if let Some((issuer, sub)) = identity_assertion::named(&subject) {
            all.insert("iss".to_owned(), issuer.into());
            all.insert("sub".to_owned(), sub.into());
        }
        Self(Token::from(all))
    }
}

impl Auth {
    /// `checked` says when, and how far clocks may be apart.
    pub(crate) fn new(
        known: Known,
        (checked, leeway): (u64, u64),
        (metadata, request_id): (Option<Arc<str>>, Option<HeaderValue>),
    ) -> Self {
        Self {
            extra: Nothing {},
            known,
            checked,
            leeway,
            metadata,
            request_id,
            rights: PhantomData,
        }
    }
}

impl<S, X> Auth<S, X> {
    /// Whom the token is about.
    pub fn sub(&self) -> &str {
        self.word("sub")
    }

    /// Who issued the token; empty when an introspection answer or a gateway does not say. With several issuers, a user is the pair of this and `sub`.
    pub fn iss(&self) -> &str {
        self.word("iss")
    }

    /// Whether the token is about a user, as far as it says: a client that got it for itself (RFC 6749 §4.4) is its own `sub` (RFC 9068 §2.2).
    /// Some issuers invent a user for each client; their tokens can only be told apart by a claim or a scope. Behind a gateway that says no
    /// `client_id` in its plain headers nobody is known to be a user.
    pub fn is_user(&self) -> bool {
        let unsaid = matches!(self.known, Known::Said(_)) && self.client_id().is_empty();
        self.sub() != self.client_id() && !unsaid
    }

    /// The client that asked for the token; empty for issuers that do not say.
    pub fn client_id(&self) -> &str {
        self.word("client_id")
    }

    /// Who acts for the user, the present one first: clients that have exchanged the user's token (RFC 8693 §4.1). Only the first is of
    /// weight for what is allowed.
    pub fn actors(&self) -> impl Iterator<Item = String> + use<S, X> {
        let first = self.claim("act");
        let actors = std::iter::successors(first, |actor| actor.get("act").cloned());
        actors.filter_map(|actor| actor.get("sub").and_then(Value::as_str).map(str::to_owned))
    }

    /// The token's own name; empty for issuers that do not say.
    pub fn jti(&self) -> &str {
        self.word("jti")
    }

    /// The session behind the token, when there is one.
    pub fn sid(&self) -> Option<&str> {
        self.token().text("sid")
    }

    /// When the token expires, in seconds since 1970; behind a gateway, when the gateway's word does.
    pub fn expires(&self) -> Option<u64> {
        match &self.known {
            Known::Signed(signed) => signed.times.exp,
            Known::Asserted(signed) => signed.times.exp,
            Known::Told(told) | Known::Said(told) => told.number("exp"),
        }
    }

    /// What the token may be used for.
    pub fn scopes(&self) -> Vec<String> {
        self.token().words("scope")
    }

    /// The user's roles here.
    pub fn roles(&self) -> Vec<String> {
        self.token().words("roles")
    }

    /// What the user's roles permit here.
    pub fn permissions(&self) -> Vec<String> {
        self.token().words("permissions")
    }

    /// How the user logged in (RFC 9470 §6.2); `None` when the issuer does not say.
    pub fn acr(&self) -> Option<&str> {
        self.token().text("acr")
    }

    /// When the user logged in, in seconds since 1970; `None` when the issuer does not say.
    pub fn auth_time(&self) -> Option<u64> {
        self.token().number("auth_time")
    }

    /// Any claim, read from what is kept of the token; for one that is a text, [`Auth::text`] is cheaper.
    pub fn claim(&self, name: &str) -> Option<Value> {
        self.token().claim(name)
    }

    /// Any claim that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.token().text(name)
    }

    /// All claims in a type of the application; `None` when they do not fit it.
    pub fn extra<T: DeserializeOwned>(&self) -> Option<T> {
        self.token().read().ok()
    }

    /// All claims in a type of the application; 403 when they do not fit it.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, Denied> {
        self.token().read().map_err(|_| self.deny("claims_do_not_fit"))
    }

    /// Goes on when `condition` holds; otherwise 403. The reason stands in the log alone.
    ///
    /// ```
    /// use carnet_guard::{Auth, Denied};
    ///
    /// fn may_change(auth: &Auth, owner: &str) -> Result<(), Denied> {
    ///     auth.check(owner == auth.sub(), "the order is another user's")
    /// }
    /// ```
    pub fn check(&self, condition: bool, reason: &'static str) -> Result<(), Denied> {
        match condition {
            true => Ok(()),
            false => Err(self.deny(reason)),
        }
    }

    /// A refusal with the challenge of this API.
    pub(crate) fn denied(&self, refused: Refused) -> Denied {
        Denied::new(refused, self.metadata.clone())
    }

    /// How long ago the user logged in, in seconds, counted when the token was checked; `None` when nobody says so, or when it would be in the future:
    /// such a login would be a fresh one until then, however old it is.
    pub(crate) fn login_age(&self) -> Option<u64> {
        let time = self.auth_time()?;
        let believed = time <= self.checked.saturating_add(self.leeway);
        believed.then(|| self.checked.saturating_sub(time))
    }

    /// The same caller, of whom other rights are known.
    #[cfg(feature = "axum")]
    pub(crate) fn with<T, Y>(&self, extra: Y) -> Auth<T, Y> {
        Auth {
            extra,
            known: self.known.clone(),
            checked: self.checked,
            leeway: self.leeway,
            metadata: self.metadata.clone(),
            request_id: self.request_id.clone(),
            rights: PhantomData,
        }
    }

    /// How it is known what the token says.
    pub(crate) fn known(&self) -> &Known {
        &self.known
    }

    /// What its request is called, for the log.
    pub(crate) fn request_id(&self) -> Option<&str> {
        word(self.request_id.as_ref())
    }

    fn deny(&self, reason: &'static str) -> Denied {
        let refused = Refused::InsufficientScope(None);
        tracing::info!(
            code = refused.code(),
            reason,
            request_id = self.request_id(),
            "a request was refused"
        );
        self.denied(refused)
    }

    pub(crate) fn token(&self) -> &Token {
        match &self.known {
            Known::Signed(signed) => &signed.claims,
            Known::Asserted(signed) => &signed.claims.0,
            Known::Told(told) | Known::Said(told) => told,
        }
    }

    fn word(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default()
    }
}

impl<S, X: Clone> Clone for Auth<S, X> {
    fn clone(&self) -> Self {
        Self {
            extra: self.extra.clone(),
            known: self.known.clone(),
            checked: self.checked,
            leeway: self.leeway,
            metadata: self.metadata.clone(),
            request_id: self.request_id.clone(),
            rights: PhantomData,
        }
    }
}

impl<S, X> std::fmt::Debug for Auth<S, X> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth")
            .field("sub", &self.sub())
            .field("scope", &self.scopes())
            .finish_non_exhaustive()
    }
}
