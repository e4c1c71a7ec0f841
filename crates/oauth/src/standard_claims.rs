//! The claims about a user, and the scopes that open them.
//!
//! Spec: OpenID Connect Core §5.1, §5.4

use crate::scope::ScopeSet;

/// Each scope and the claims that it opens (§5.4).
pub const SCOPES: &[(&str, &[&str])] = &[
    (
        "profile",
        &[
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ],
    ),
    ("email", &["email", "email_verified"]),
    ("address", &["address"]),
    ("phone", &["phone_number", "phone_number_verified"]),
];

/// Every claim about a user that a scope can open.
pub fn all() -> impl Iterator<Item = &'static str> {
    SCOPES.iter().flat_map(|(_, claims)| claims.iter().copied())
}

/// Whether a scope of this set opens the claim.
///
/// ```
/// use carnet_oauth::standard_claims::is_opened;
///
/// let scope = "openid email".parse()?;
/// assert!(is_opened("email_verified", &scope));
/// assert!(!is_opened("name", &scope));
/// # Ok::<(), carnet_oauth::scope::InvalidScope>(())
/// ```
pub fn is_opened(claim: &str, scope: &ScopeSet) -> bool {
    let opening = SCOPES.iter().find(|(_, claims)| claims.contains(&claim));
    opening.is_some_and(|(name, _)| scope.contains(name))
}
