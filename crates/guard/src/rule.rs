//! What a route asks of a caller beyond a valid token.
//!
//! Spec: RFC 6750 §3.1 · RFC 9068 §2.2.3.1 (roles)

use crate::auth::Auth;
use crate::challenge::Refused;

/// A condition on the caller.
///
/// ```
/// use carnet_guard::Rule;
///
/// let editors = Rule::all([Rule::scope("write:articles"), Rule::any([Rule::role("editor"), Rule::permission("articles:write")])]);
/// # let _ = editors;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The token has this scope.
    Scope(String),
    /// The user has this role here.
    Role(String),
    /// One of the user's roles permits this here.
    Permission(String),
    /// Every one of these holds.
    All(Vec<Rule>),
    /// At least one of these holds.
    Any(Vec<Rule>),
}

impl Rule {
    /// The token has this scope.
    pub fn scope(name: impl Into<String>) -> Self {
        Self::Scope(name.into())
    }

    /// The user has this role here.
    pub fn role(name: impl Into<String>) -> Self {
        Self::Role(name.into())
    }

    /// One of the user's roles permits this here.
    pub fn permission(name: impl Into<String>) -> Self {
        Self::Permission(name.into())
    }

    /// Every one of these holds.
    pub fn all(rules: impl Into<Vec<Rule>>) -> Self {
        Self::All(rules.into())
    }

    /// At least one of these holds.
    pub fn any(rules: impl Into<Vec<Rule>>) -> Self {
        Self::Any(rules.into())
    }

    pub(crate) fn check(&self, auth: &Auth) -> Result<(), Refused> {
        if self.holds(auth) {
            return Ok(());
        }
        let mut scopes = Vec::new();
        self.scopes(&mut scopes);
        tracing::info!(code = "insufficient_scope", rule = ?self, "a request was refused");
        let lacks_one = scopes
            .iter()
            .any(|scope| !auth.scopes().iter().any(|held| held == scope));
        Err(Refused::InsufficientScope(lacks_one.then(|| scopes.join(" "))))
    }

    fn holds(&self, auth: &Auth) -> bool {
        let has = |list: &[String], name: &String| list.contains(name);
        match self {
            Self::Scope(name) => has(auth.scopes(), name),
            Self::Role(name) => has(auth.roles(), name),
            Self::Permission(name) => has(auth.permissions(), name),
            Self::All(rules) => rules.iter().all(|rule| rule.holds(auth)),
            Self::Any(rules) => rules.iter().any(|rule| rule.holds(auth)),
        }
    }

    /// RFC 6750 §3: the scopes that would be needed. Roles and permissions are not named to the caller: only scopes can be asked for.
    fn scopes<'r>(&'r self, needed: &mut Vec<&'r str>) {
        match self {
            Self::Scope(name) => needed.push(name),
            Self::All(rules) | Self::Any(rules) => rules.iter().for_each(|rule| rule.scopes(needed)),
            Self::Role(_) | Self::Permission(_) => {}
        }
    }
}
