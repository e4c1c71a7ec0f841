//! What a route asks of a caller beyond a valid token.
//!
//! Spec: RFC 6750 §3.1 · RFC 9068 §2.2.3.1 (roles) · RFC 9470 §3 (acr, max_age)

use std::time::Duration;

use serde_json::Value;

use crate::auth::Auth;
use crate::challenge::{Refused, StepUp};
use crate::claim::{ClaimPath, ClaimTest};

/// A condition on the caller.
///
/// ```
/// use std::time::Duration;
/// use carnet_guard::Rule;
///
/// let editors = Rule::all([Rule::scope("write:articles"), Rule::any([Rule::role("editor"), Rule::permission("articles:write")])]);
/// let tenant = Rule::claim("tenant").one_of(["red", "blue"]);
/// let group = Rule::claim(["realm_access", "roles"]).contains("staff");
/// let fresh = Rule::all([Rule::acr(["urn:example:mfa"]), Rule::max_age(Duration::from_secs(300))]);
/// let route = Rule::all([editors, tenant, group, fresh]);
/// # let _ = route;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// The token is about a user, not a client's own; see [`Auth::is_user`].
    User,
    /// The token has this scope.
    Scope(String),
    /// The user has this role here.
    Role(String),
    /// One of the user's roles permits this here.
    Permission(String),
    /// A claim passes a test.
    Claim(ClaimPath, ClaimTest),
    /// The user logged in by one of these classes (`acr`); otherwise the caller is asked to step up (RFC 9470).
    Acr(Vec<String>),
    /// The user logged in (`auth_time`) no longer ago than this; otherwise the caller is asked to step up (RFC 9470).
    MaxAge(Duration),
    /// Every one of these holds.
    All(Vec<Rule>),
    /// At least one of these holds.
    Any(Vec<Rule>),
}

/// What a rule says of a caller.
enum Verdict {
    Met,
    /// It would be met after another login.
    After(StepUp),
    Unmet,
}

impl Rule {
    /// The token is about a user, not a client's own; see [`Auth::is_user`].
    pub fn user() -> Self {
        Self::User
    }

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

    /// Begins a test of a claim: one name, taken as it is, or an array of names that leads into it. A claim that is missing passes none.
    pub fn claim(path: impl Into<ClaimPath>) -> ClaimRule {
        ClaimRule(path.into())
    }

    /// The user logged in by one of these classes, the preferred first.
    pub fn acr<T: Into<String>>(classes: impl IntoIterator<Item = T>) -> Self {
        Self::Acr(classes.into_iter().map(Into::into).collect())
    }

    /// The user logged in no longer ago than this, in whole seconds.
    pub fn max_age(age: Duration) -> Self {
        Self::MaxAge(age)
    }

    /// Every one of these holds.
    pub fn all(rules: impl Into<Vec<Rule>>) -> Self {
        Self::All(rules.into())
    }

    /// At least one of these holds.
    pub fn any(rules: impl Into<Vec<Rule>>) -> Self {
        Self::Any(rules.into())
    }

    /// Holds a caller against this rule.
    ///
    /// # Errors
    ///
    /// [`Refused::StepUp`] when another login is all that is missing, else [`Refused::InsufficientScope`].
    pub fn check<S, X>(&self, auth: &Auth<S, X>) -> Result<(), Refused> {
        let refused = match self.verdict(auth) {
            Verdict::Met => return Ok(()),
            Verdict::After(step_up) => Refused::StepUp(step_up),
            Verdict::Unmet => {
                let mut scopes = Vec::new();
                self.scopes(&mut scopes);
                let lacks_one = scopes.iter().any(|scope| !auth.token().has_word("scope", scope));
                Refused::InsufficientScope(lacks_one.then(|| scopes.join(" ")))
            }
        };
        tracing::info!(code = refused.code(), rule = ?self, request_id = auth.request_id(), "a request was refused");
        Err(refused)
    }

    fn verdict<S, X>(&self, auth: &Auth<S, X>) -> Verdict {
        let has = |claim, name| Verdict::of(auth.token().has_word(claim, name));
        match self {
            Self::User => Verdict::of(auth.is_user()),
            Self::Scope(name) => has("scope", name),
            Self::Role(name) => has("roles", name),
            Self::Permission(name) => has("permissions", name),
            Self::Claim(path, test) => {
                Verdict::of(path.find(auth.token()).is_some_and(|found| test.passes(&found)))
            }
            // Nobody could log in so.
            Self::Acr(classes) if classes.is_empty() => Verdict::Unmet,
            Self::Acr(classes) => match auth.acr().is_some_and(|acr| classes.iter().any(|one| one == acr)) {
                true => Verdict::Met,
                false => Verdict::After(StepUp {
                    acr_values: classes.clone(),
                    max_age: None,
                }),
            },
            Self::MaxAge(age) => match auth.login_age().is_some_and(|passed| passed <= age.as_secs()) {
                true => Verdict::Met,
                false => Verdict::After(StepUp {
                    acr_values: Vec::new(),
                    max_age: Some(age.as_secs()),
                }),
            },
            Self::All(rules) => rules
                .iter()
                .map(|rule| rule.verdict(auth))
                .fold(Verdict::Met, Verdict::and),
            Self::Any(rules) => rules
                .iter()
                .map(|rule| rule.verdict(auth))
                .fold(Verdict::Unmet, Verdict::or),
        }
    }

    /// RFC 6750 §3: the scopes that would be needed. Nothing else is named to the caller: only scopes can be asked for.
    fn scopes<'r>(&'r self, needed: &mut Vec<&'r str>) {
        match self {
            Self::Scope(name) => needed.push(name),
            Self::All(rules) | Self::Any(rules) => rules.iter().for_each(|rule| rule.scopes(needed)),
            Self::User
            | Self::Role(_)
            | Self::Permission(_)
            | Self::Claim(..)
            | Self::Acr(_)
            | Self::MaxAge(_) => {}
        }
    }
}

/// A claim that is about to be tested; see [`Rule::claim`].
#[derive(Clone, Debug)]
#[must_use = "say what the claim must be"]
pub struct ClaimRule(ClaimPath);

impl ClaimRule {
    /// The claim is this, of the same JSON type.
    pub fn eq(self, value: impl Into<Value>) -> Rule {
        Rule::Claim(self.0, ClaimTest::Is(value.into()))
    }

    /// The claim is one of these.
    pub fn one_of<T: Into<Value>>(self, values: impl IntoIterator<Item = T>) -> Rule {
        let values = values.into_iter().map(Into::into).collect();
        Rule::Claim(self.0, ClaimTest::OneOf(values))
    }

    /// The claim is an array that has this, or a text of words between spaces that has this word.
    pub fn contains(self, value: impl Into<Value>) -> Rule {
        Rule::Claim(self.0, ClaimTest::Contains(value.into()))
    }
}

impl Verdict {
    fn of(met: bool) -> Self {
        match met {
            true => Self::Met,
            false => Self::Unmet,
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unmet, _) | (_, Self::Unmet) => Self::Unmet,
            (Self::Met, other) => other,
            (one, Self::Met) => one,
            (Self::After(one), Self::After(other)) => one.and(other).map_or(Self::Unmet, Self::After),
        }
    }

    /// What is met needs nothing; of two logins that would do, the first is asked for.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Met, _) | (_, Self::Met) => Self::Met,
            (Self::After(one), _) => Self::After(one),
            (Self::Unmet, other) => other,
        }
    }
}

impl StepUp {
    /// One login that does for both; `None` when no class is named by both.
    fn and(self, other: Self) -> Option<Self> {
        let acr_values = match (self.acr_values.is_empty(), other.acr_values.is_empty()) {
            (true, _) => other.acr_values,
            (_, true) => self.acr_values,
            (false, false) => {
                let mut both = self.acr_values;
                both.retain(|class| other.acr_values.contains(class));
                if both.is_empty() {
                    return None;
                }
                both
            }
        };
        let ages = [self.max_age, other.max_age];
        Some(Self {
            acr_values,
            max_age: ages.into_iter().flatten().min(),
        })
    }
}
