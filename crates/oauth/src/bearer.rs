//! Bearer tokens in requests, and the challenge that refuses one.
//!
//! Spec: RFC 6750 §2.1 (header), §3 (challenge) · RFC 9110 §11 (authentication schemes) · RFC 9449 §7.1 (the scheme DPoP)

use std::fmt::Write as _;

/// Reads the token from the value of an `Authorization` header.
///
/// The scheme is compared without regard to case (RFC 9110 §11.1), one or more spaces follow it, and the token is `b64token` (RFC 6750 §2.1).
///
/// ```
/// use carnet_oauth::bearer::{BearerError, token};
///
/// assert_eq!(token("bearer abc.def"), Ok("abc.def"));
/// assert_eq!(token("Basic Zm9vOmJhcg=="), Err(BearerError::OtherScheme));
/// assert_eq!(token("Bearer a,Bearer b"), Err(BearerError::Malformed));
/// ```
pub fn token(authorization: &str) -> Result<&str, BearerError> {
    token_by(authorization, "Bearer")
}

/// As [`token`], with another scheme than `Bearer`: `DPoP` has the same syntax (RFC 9449 §7.1).
///
/// ```
/// use carnet_oauth::bearer::{BearerError, token_by};
///
/// assert_eq!(token_by("DPoP abc.def", "DPoP"), Ok("abc.def"));
/// assert_eq!(token_by("Bearer abc.def", "DPoP"), Err(BearerError::OtherScheme));
/// ```
pub fn token_by<'a>(authorization: &'a str, scheme: &str) -> Result<&'a str, BearerError> {
    let (found, rest) = authorization.split_once(' ').unwrap_or((authorization, ""));
    if !found.eq_ignore_ascii_case(scheme) {
        let other = !found.is_empty()
            && found
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        return Err(if other {
            BearerError::OtherScheme
        } else {
            BearerError::Malformed
        });
    }
    let token = rest.trim_start_matches(' ');
    let body = token.trim_end_matches('=');
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() | matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
    // Without a way out in the middle it is done for many bytes at once.
    if body.is_empty() || !body.bytes().fold(true, |all, byte| all & allowed(byte)) {
        return Err(BearerError::Malformed);
    }
    Ok(token)
}

/// Why no token could be read from an `Authorization` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BearerError {
    /// The header speaks of another authentication scheme.
    OtherScheme,
    /// The header is not `Bearer` and one `b64token`.
    Malformed,
}

/// A `WWW-Authenticate` challenge: `Bearer` (RFC 6750 §3) or another scheme with such parameters.
///
/// ```
/// use carnet_oauth::bearer::Challenge;
///
/// let challenge = Challenge::new().error("insufficient_scope", "the token lacks a scope").scope("read:orders");
/// assert_eq!(
///     challenge.to_string(),
///     r#"Bearer error="insufficient_scope", error_description="the token lacks a scope", scope="read:orders""#,
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    scheme: &'static str,
    parameters: String,
}

impl Challenge {
    /// A challenge without an error code: the request carried no token (RFC 6750 §3.1).
    pub fn new() -> Self {
        Self::by("Bearer")
    }

    /// The same by another scheme, such as `DPoP` (RFC 9449 §7.1).
    pub fn by(scheme: &'static str) -> Self {
        Self {
            scheme,
            parameters: String::new(),
        }
    }

    /// Names the error and says why.
    pub fn error(self, code: &str, description: &str) -> Self {
        self.parameter("error", code)
            .parameter("error_description", description)
    }

    /// Names the scope that would have been enough.
    pub fn scope(self, scope: &str) -> Self {
        self.parameter("scope", scope)
    }

    /// Adds any other parameter, such as `resource_metadata` (RFC 9728 §5.1).
    ///
    /// Characters that RFC 6750 §3 keeps out of a quoted value are left out.
    pub fn parameter(mut self, name: &str, value: &str) -> Self {
        let clean: String = value
            .chars()
            .filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\'))
            .collect();
        let comma = if self.parameters.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(self.parameters, "{comma}{name}=\"{clean}\"");
        self
    }
}

impl Default for Challenge {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Display for Challenge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.scheme)?;
        if !self.parameters.is_empty() {
            write!(f, " {}", self.parameters)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_case_insensitive_and_spaces_may_repeat() {
        assert_eq!(token("BEARER   x"), Ok("x"));
    }

    #[test]
    fn anything_but_one_b64token_is_malformed() {
        for value in [
            "Bearer",
            "Bearer ",
            "Bearer\tx",
            "Bearer a b",
            "Bearer a,b",
            "Bearer =",
            "Bearer {x}",
            "",
            "Bear er",
        ] {
            assert!(token(value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn a_challenge_cannot_be_broken_out_of() {
        let challenge = Challenge::new().error("invalid_token", "a\"b\\c\r\nSet-Cookie: d");
        assert_eq!(
            challenge.to_string(),
            "Bearer error=\"invalid_token\", error_description=\"abcSet-Cookie: d\""
        );
    }
}
