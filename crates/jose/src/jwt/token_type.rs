//! What kind of token a token is.
//!
//! Spec: RFC 8725 §3.11 (explicit typing) · RFC 9068 §2.1 (at+jwt)

use crate::error::Error;

/// The `typ` (RFC 7515 §4.1.9, RFC 7519 §5.1) that a policy demands and a signer writes (RFC 8725 §3.11).
///
/// A token's is compared without regard to case, with or without `application/`.
///
/// ```
/// use carnet_jose::TokenType;
///
/// assert_eq!(TokenType::AccessToken.name(), "at+jwt");
/// assert_eq!(TokenType::Other("logout+jwt").name(), "logout+jwt");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenType {
    /// `at+jwt` (RFC 9068 §2.1).
    AccessToken,
    /// `JWT` (RFC 7519 §5.1), or none: tokens of issuers that do not type theirs.
    Jwt,
    /// `JWT`, or none: an ID token (OpenID Connect Core §2).
    IdToken,
    /// `JWT`, `JOSE`, or none: a JWT-SVID (JWT-SVID §2.3).
    Svid,
    /// Any other, without `application/`, such as `logout+jwt` (OpenID Connect Back-Channel Logout §2.4).
    Other(&'static str),
}

impl TokenType {
    /// What a signer writes into the header (RFC 7515 §4.1.9).
    pub fn name(self) -> &'static str {
        match self {
            Self::AccessToken => "at+jwt",
            Self::Jwt | Self::IdToken | Self::Svid => "JWT",
            Self::Other(name) => name,
        }
    }

    /// Compared without regard to case, with or without `application/` (RFC 7515 §4.1.9).
    pub(crate) fn check(self, found: Option<&str>) -> Result<(), Error> {
        let Some(found) = found else {
            return if matches!(self, Self::Jwt | Self::IdToken | Self::Svid) {
                Ok(())
            } else {
                Err(Error::TokenTypeMismatch)
            };
        };
        let prefix = found
            .get(..12)
            .filter(|prefix| prefix.eq_ignore_ascii_case("application/"));
        let short = prefix.map_or(found, |prefix| found.get(prefix.len()..).unwrap_or_default());
        let jose = matches!(self, Self::Svid) && short.eq_ignore_ascii_case("JOSE");
        if jose || short.eq_ignore_ascii_case(self.name()) {
            Ok(())
        } else {
            Err(Error::TokenTypeMismatch)
        }
    }
}
