//! The caller of a request, as axum handlers take it.
//!
//! Spec: RFC 9068 §2.2

use std::marker::PhantomData;
use std::sync::Arc;

use carnet_jose::Verified;
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
    token: Arc<Token>,
    rights: PhantomData<fn() -> S>,
}

#[derive(Debug)]
struct Token {
    claims: Map<String, Value>,
    scope: Vec<String>,
    roles: Vec<String>,
    permissions: Vec<String>,
    expires: Option<u64>,
}

impl Auth {
    pub(crate) fn new(verified: Verified<Map<String, Value>>) -> Self {
        let claims = verified.claims;
        let token = Token {
            scope: words(claims.get("scope")),
            roles: words(claims.get("roles")),
            permissions: words(claims.get("permissions")),
            expires: verified.registered.exp,
            claims,
        };
        Self {
            token: Arc::new(token),
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

    /// The token's own name; empty for issuers that do not say.
    pub fn jti(&self) -> &str {
        self.text("jti")
    }

    /// The session behind the token, when there is one.
    pub fn sid(&self) -> Option<&str> {
        self.token.claims.get("sid").and_then(Value::as_str)
    }

    /// When the token expires, in seconds since 1970.
    pub fn expires(&self) -> Option<u64> {
        self.token.expires
    }

    /// What the token may be used for.
    pub fn scopes(&self) -> &[String] {
        &self.token.scope
    }

    /// The user's roles here.
    pub fn roles(&self) -> &[String] {
        &self.token.roles
    }

    /// What the user's roles permit here.
    pub fn permissions(&self) -> &[String] {
        &self.token.permissions
    }

    /// Any claim.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.token.claims.get(name)
    }

    /// All claims in a type of the application; `None` when they do not fit it.
    pub fn extra<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_value(Value::Object(self.token.claims.clone())).ok()
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
            .field("scope", &self.token.scope)
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
