//! The caller of a request, as axum handlers take it.
//!
//! Spec: RFC 9068 §2.2 · RFC 8693 §4.1 (act)

use std::marker::PhantomData;
use std::sync::Arc;

use carnet_jose::Verified;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The caller: whoever holds a valid token. `Auth<(ReadOrders, WriteOrders)>` asks for rights as well.
///
/// ```
/// use carnet_guard::{Auth, scope};
///
/// scope!(pub ReadOrders = "read:orders");
///
/// async fn orders(auth: Auth<ReadOrders>) -> String {
///     format!("orders of {}", auth.sub())
/// }
/// ```
pub struct Auth<S = ()> {
    token: Arc<Verified<'static, Token>>,
    rights: PhantomData<fn() -> S>,
}

/// What a token says, with its rights taken apart.
#[derive(Debug, Deserialize)]
#[serde(from = "Map<String, Value>")]
pub(crate) struct Token {
    pub(crate) all: Map<String, Value>,
    scope: Vec<String>,
    roles: Vec<String>,
    permissions: Vec<String>,
}

impl From<Map<String, Value>> for Token {
    fn from(all: Map<String, Value>) -> Self {
        Self {
            scope: words(all.get("scope")),
            roles: words(all.get("roles")),
            permissions: words(all.get("permissions")),
            all,
        }
    }
}

impl Auth {
    pub(crate) fn new(token: Arc<Verified<'static, Token>>) -> Self {
        Self {
            token,
            rights: PhantomData,
        }
    }
}

impl<S> Auth<S> {
    /// Whom the token is about.
    pub fn sub(&self) -> &str {
        self.text("sub")
    }

    /// The client that asked for the token; empty for issuers that do not say.
    pub fn client_id(&self) -> &str {
        self.text("client_id")
    }

    /// Who acts for the user, the present one first: clients that have exchanged the user's token (RFC 8693 §4.1). Only the first is of
    /// weight for what is allowed.
    pub fn actors(&self) -> impl Iterator<Item = &str> {
        let first = self.token.claims.all.get("act");
        let actors = std::iter::successors(first, |actor| actor.get("act"));
        actors.filter_map(|actor| actor.get("sub").and_then(Value::as_str))
    }

    /// The token's own name; empty for issuers that do not say.
    pub fn jti(&self) -> &str {
        self.text("jti")
    }

    /// The session behind the token, when there is one.
    pub fn sid(&self) -> Option<&str> {
        self.token.claims.all.get("sid").and_then(Value::as_str)
    }

    /// When the token expires, in seconds since 1970.
    pub fn expires(&self) -> Option<u64> {
        self.token.registered.exp
    }

    /// What the token may be used for.
    pub fn scopes(&self) -> &[String] {
        &self.token.claims.scope
    }

    /// The user's roles here.
    pub fn roles(&self) -> &[String] {
        &self.token.claims.roles
    }

    /// What the user's roles permit here.
    pub fn permissions(&self) -> &[String] {
        &self.token.claims.permissions
    }

    /// Any claim.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.token.claims.all.get(name)
    }

    /// All claims in a type of the application; `None` when they do not fit it.
    pub fn extra<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_value(Value::Object(self.token.claims.all.clone())).ok()
    }

    /// The same caller, of whom other rights are known.
    pub(crate) fn with_rights<T>(&self) -> Auth<T> {
        Auth {
            token: self.token.clone(),
            rights: PhantomData,
        }
    }

    fn text(&self, name: &str) -> &str {
        self.token
            .claims
            .all
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

impl<S> Clone for Auth<S> {
    fn clone(&self) -> Self {
        Self {
            token: self.token.clone(),
            rights: PhantomData,
        }
    }
}

impl<S> std::fmt::Debug for Auth<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth")
            .field("sub", &self.sub())
            .field("scope", &self.token.claims.scope)
            .finish_non_exhaustive()
    }
}

/// A space-separated string, or an array of strings: issuers differ.
fn words(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => text
            .split(' ')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect(),
        Some(Value::Array(words)) => words
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}
