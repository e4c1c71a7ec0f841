//! Taking something back: why, on whose word, and for how long it must be remembered.

use crate::audit::NewAudit;
use crate::names::closed_enum;

closed_enum! {
    /// Why a family or a key was revoked.
    pub enum Reason {
        /// The user logged out.
        Logout = "logout",
        /// The password changed.
        PasswordChanged = "password_changed",
        /// The user was disabled.
        UserDisabled = "user_disabled",
        /// The user was deleted.
        UserDeleted = "user_deleted",
        /// A spent refresh token came back.
        Reuse = "reuse",
        /// An administrator, or the client (RFC 7009), said so.
        Revoked = "revoked",
    }
}

/// How something is taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The moment, in milliseconds: now.
    pub at: i64,
    /// How long the entries stay at the least: the longest life of a token they can match, plus skew. They stay longer where servers of
    /// this database make, or have made, tokens that live longer.
    pub entry_ttl_ms: i64,
    /// Why.
    pub reason: Reason,
    /// The audit row of the same transaction.
    pub audit: NewAudit,
}

impl Cut {
    /// The same, of what ended at another moment.
    pub(crate) fn as_of(&self, at: i64) -> Self {
        Self { at, ..self.clone() }
    }
}
