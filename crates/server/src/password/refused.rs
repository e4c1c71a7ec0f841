//! Why a password cannot be set, in words that quote nothing of it.

use thiserror::Error;

/// A password that cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{}", self.reason())]
#[non_exhaustive]
pub enum PasswordRefused {
    /// Fewer than 8 bytes.
    TooShort,
    /// More than 1,024 bytes; nothing is ever cut off.
    TooLong,
    /// zxcvbn scores it below the policy.
    TooWeak {
        /// What makes it weak and what to do.
        suggestion: &'static str,
    },
    /// It is in the list of breached passwords.
    Breached,
}

impl PasswordRefused {
    /// The stable code of this refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooShort => "password_too_short",
            Self::TooLong => "password_too_long",
            Self::TooWeak { .. } => "password_too_weak",
            Self::Breached => "password_breached",
        }
    }

    /// The reason, for the person who chose the password.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooShort => "the password is shorter than 8 bytes",
            Self::TooLong => "the password is longer than 1024 bytes",
            Self::TooWeak { suggestion } => suggestion,
            Self::Breached => "the password is in a list of passwords known to attackers; choose another",
        }
    }
}
