//! Revocation entries: what takes tokens back before they expire.
//!
//! Spec: RFC 7009 (what a client may revoke) · RFC 9700 §4.14.2 (families)

use serde::{Deserialize, Serialize};

/// Which claim of a token an entry is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationKind {
    /// One token, by its `jti`.
    Jti,
    /// Every token of a session, by its `sid`.
    Sid,
    /// Every token of a refresh family, by its `fam`.
    Fam,
    /// Every token of a user made at or before a moment (`sub` and `iat`).
    Sub,
    /// Every token of a user at one client made at or before a moment.
    SubClient,
    /// Every token of a client made at or before a moment.
    Client,
    /// Every token signed by a key, by the header's `kid`.
    Kid,
}

impl RevocationKind {
    /// Every kind there is.
    pub const ALL: [Self; 7] = [
        Self::Jti,
        Self::Sid,
        Self::Fam,
        Self::Sub,
        Self::SubClient,
        Self::Client,
        Self::Kid,
    ];

    /// The name that is stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jti => "jti",
            Self::Sid => "sid",
            Self::Fam => "fam",
            Self::Sub => "sub",
            Self::SubClient => "sub_client",
            Self::Client => "client",
            Self::Kid => "kid",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl std::str::FromStr for RevocationKind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::from_name(name).ok_or(UnknownKind)
    }
}

/// No revocation kind has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKind;

impl std::fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no revocation kind has this name")
    }
}

impl std::error::Error for UnknownKind {}
