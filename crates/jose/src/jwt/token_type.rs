//! What kind of token a token is.
//!
//! Spec: RFC 8725 §3.11 (explicit typing) · RFC 9068 §2.1 (at+jwt)

use crate::error::Error;

/// The `typ` that a policy demands and a signer writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenType {
    /// `at+jwt` (RFC 9068 §2.1).
    AccessToken,
    /// `JWT`, or none: tokens of issuers that do not type theirs.
    Jwt,
    /// `JWT`, or none: an ID token (OpenID Connect Core §2).
    IdToken,
    /// Any other, such as `logout+jwt`.
    Other(&'static str),
}

impl TokenType {
    /// What a signer writes into the header.
    pub fn name(self) -> &'static str {
        match self {
            Self::AccessToken => "at+jwt",
            Self::Jwt | Self::IdToken => "JWT",
            Self::Other(name) => name,
        }
    }

    /// Compared without regard to case, with or without `application/` (RFC 7515 §4.1.9).
    pub(crate) fn check(self, found: Option<&str>) -> Result<(), Error> {
        let Some(found) = found else {
            return if matches!(self, Self::Jwt | Self::IdToken) {
                Ok(())
            } else {
                Err(Error::TokenTypeMismatch)
            };
        };
        let prefix = found
            .get(..12)
            .filter(|prefix| prefix.eq_ignore_ascii_case("application/"));
        let short = prefix.map_or(found, |prefix| found.get(prefix.len()..).unwrap_or_default());
        if short.eq_ignore_ascii_case(self.name()) {
            Ok(())
        } else {
            Err(Error::TokenTypeMismatch)
        }
    }
}
