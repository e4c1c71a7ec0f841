//! The claims of an access token.
//!
//! Spec: RFC 9068 §2.2 · RFC 8693 §4.1 (act) · RFC 7800 §3.1 (cnf) · RFC 9449 §6.1 (jkt)

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::scope::ScopeSet;

/// The claims of a JWT access token as Carnet issues it and as `carnet-guard` reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccessTokenClaims {
    /// The issuer, byte for byte as in its metadata.
    pub iss: String,
    /// The user, or the client itself when no user stands behind the token.
    pub sub: String,
    /// The resource server that the token is for.
    pub aud: Audience,
    /// Seconds since the epoch after which the token is refused.
    pub exp: u64,
    /// Seconds since the epoch before which the token is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// Seconds since the epoch at which the token was made.
    pub iat: u64,
    /// The token's own name, unique with its issuer.
    pub jti: String,
    /// The client that asked for the token.
    pub client_id: String,
    /// What the token may be used for.
    #[serde(default, skip_serializing_if = "ScopeSet::is_empty")]
    pub scope: ScopeSet,
    /// When the user proved who they are, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<u64>,
    /// How they did so: the authentication context class (RFC 9470 §6.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// The session behind the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The refresh family behind the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fam: Option<String>,
    /// The key that whoever uses the token must prove (RFC 7800 §3.1). Left out: nobody has to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// Who acts for the user, when it is not the user's own client (RFC 8693 §4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Actor>,
    /// The user's roles at this audience (RFC 9068 §2.2.3.1).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// What the user's roles permit at this audience.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<String>,
    /// Everything else that the issuer was configured to say.
    #[serde(flatten)]
    pub extra: BTreeMap<String, serde_json::Value>,
}

/// Who acts for the user, and for whom that one acts in turn (RFC 8693 §4.1). Only the outermost decides about access; the others tell how it
/// came about.
///
/// ```
/// use carnet_oauth::access_token::Actor;
///
/// let first = Actor::named("orders", None);
/// let second = Actor::named("billing", Some(first));
/// assert_eq!(serde_json::to_string(&second)?, r#"{"sub":"billing","act":{"sub":"orders"}}"#);
/// assert_eq!(second.chain().collect::<Vec<_>>(), ["billing", "orders"]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The client that acts.
    pub sub: String,
    /// Who acted before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Actor>>,
}

impl Actor {
    /// A client that acts after `before`.
    pub fn named(sub: &str, before: Option<Self>) -> Self {
        Self {
            sub: sub.to_owned(),
            act: before.map(Box::new),
        }
    }

    /// Everybody who acts, the present one first.
    pub fn chain(&self) -> impl Iterator<Item = &str> {
        let actors = std::iter::successors(Some(self), |actor| actor.act.as_deref());
        actors.map(|actor| actor.sub.as_str())
    }
}

/// How whoever uses a token proves that it is theirs (RFC 7800 §3.1).
///
/// ```
/// use carnet_oauth::access_token::Confirmation;
///
/// let by_dpop: Confirmation = serde_json::from_str(r#"{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}"#)?;
/// assert!(by_dpop.thumbprint().is_some());
/// let by_both: Confirmation = serde_json::from_str(r#"{"jkt":"0ZcO","x5t#S256":"bwcK"}"#)?;
/// assert_eq!(by_both.thumbprint(), None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// The RFC 7638 thumbprint of a DPoP key (RFC 9449 §6.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jkt: Option<String>,
    /// Other ways, which nobody here knows.
    #[serde(flatten)]
    other: BTreeMap<String, serde_json::Value>,
}

impl Confirmation {
    /// The holder of this key (RFC 9449 §6.1).
    pub fn of_key(thumbprint: &str) -> Self {
        Self {
            jkt: Some(thumbprint.to_owned()),
            other: BTreeMap::new(),
        }
    }

    /// The key that is to be proven by DPoP; `None` when another proof is asked for, instead of it or beside it: then a proof by DPoP
    /// is not enough.
    pub fn thumbprint(&self) -> Option<&str> {
        self.jkt.as_deref().filter(|_| self.other.is_empty())
    }
}

/// One audience or several (RFC 7519 §4.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// A single audience, written as a string.
    One(String),
    /// Several audiences, written as an array.
    Several(Vec<String>),
}

impl Audience {
    /// Whether the token names one audience and no more.
    pub fn is_alone(&self) -> bool {
        match self {
            Self::One(_) => true,
            Self::Several(several) => several.len() == 1,
        }
    }

    /// Whether the token names this audience, byte for byte.
    pub fn contains(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

/// Claim names that no user attribute and no claim mapping may set: they decide about access.
pub const RESERVED_CLAIMS: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "scope",
    "client_id",
    "azp",
    "cnf",
    "act",
    "may_act",
    "role",
    "roles",
    "permissions",
    "groups",
    "entitlements",
    "acr",
    "amr",
    "auth_time",
    "nonce",
    "at_hash",
    "c_hash",
    "sid",
    "fam",
    "email_verified",
    "events",
    "typ",
];
