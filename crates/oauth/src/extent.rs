//! How far a grant goes: scopes, and single claims beyond them.
//!
//! Spec: RFC 6749 §3.3 · OpenID Connect Core §5.4, §5.5

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::scope::ScopeSet;
use crate::standard_claims::is_opened;

/// What a client asks for, or is let.
///
/// ```
/// use carnet_oauth::extent::Extent;
///
/// let granted = Extent { scope: "openid email".parse()?, ..Extent::default() };
/// let asked = Extent { scope: "openid".parse()?, claims: ["email".to_owned()].into() };
/// // The scope opens the claim; the claim does not open the scope.
/// assert!(granted.covers(&asked));
/// assert!(!asked.covers(&granted));
/// # Ok::<(), carnet_oauth::scope::InvalidScope>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// The scopes.
    pub scope: ScopeSet,
    /// Claims about the user that none of the scopes opens.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub claims: BTreeSet<String>,
}

impl Extent {
    /// Whether all of `other` is in this one.
    pub fn covers(&self, other: &Extent) -> bool {
        other.scope.is_subset(&self.scope) && other.claims.iter().all(|claim| self.has_claim(claim))
    }

    /// Whether the claim is in it, by its name or by a scope that opens it.
    pub fn has_claim(&self, claim: &str) -> bool {
        self.claims.contains(claim) || is_opened(claim, &self.scope)
    }

    /// This one together with another.
    pub fn union(&self, other: &Extent) -> Extent {
        Extent {
            scope: self.scope.union(&other.scope),
            claims: self.claims.union(&other.claims).cloned().collect(),
        }
    }
}
