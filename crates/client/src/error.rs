//! Why an authorization server could not be asked, or its answer not be used.

use std::fmt;

/// What went wrong; names addresses, never tokens or secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientError {
    /// The address is no https URL, and no http URL of this machine.
    Address(String),
    /// The address is none that may be asked: it is not public, and not allowed.
    Forbidden(String),
    /// Nobody answered in time, or the connection broke.
    Unreachable(String),
    /// The answer has another status than 200.
    Status(String, u16),
    /// The server refuses: its `error`, and its `error_description` if there is one (RFC 6749 §5.2).
    Refused(String, String),
    /// The answer is larger than allowed.
    TooLarge(String),
    /// The answer is not what the specification describes.
    Invalid(String),
    /// A file cannot be used.
    File(String),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(url) => write!(f, "{url} is not https, and not http on this machine"),
            Self::Forbidden(url) => write!(f, "{url} leads to an address that may not be asked"),
            Self::Unreachable(what) => write!(f, "no answer: {what}"),
            Self::Status(url, status) => write!(f, "{url} answered {status}"),
            Self::Refused(error, description) if description.is_empty() => write!(f, "refused: {error}"),
            Self::Refused(error, description) => write!(f, "refused: {error}: {description}"),
            Self::TooLarge(url) => write!(f, "the answer of {url} is larger than 1 MiB"),
            Self::Invalid(what) | Self::File(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for ClientError {}
