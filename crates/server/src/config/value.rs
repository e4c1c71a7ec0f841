//! Values that know what they may be: the issuer, sources of claims.

use std::fmt;
use std::str::FromStr;

use carnet_listen::as_string;

/// The public URL of this server, byte for byte as it stands in `iss`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    url: url::Url,
}

impl Issuer {
    /// As it stands in `iss`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether browsers reach it by https.
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }

    /// Scheme, host and port, as browsers write it in `Origin`.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// The path below the host, `/` when there is none.
    pub fn path(&self) -> &str {
        self.url.path()
    }

    /// The URL of one of our own paths.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.text.trim_end_matches('/'))
    }
}

impl FromStr for Issuer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = url::Url::parse(text)
            .map_err(|_| format!("{text:?} is no URL; write one such as \"https://auth.example.com\""))?;
        let loopback = is_loopback(&url);
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => {
                return Err(format!(
                    "{text:?} is not https; write \"https://…\" (http is for 127.0.0.1, [::1] and localhost)"
                ));
            }
            _ => return Err(format!("{text:?} is not https; write \"https://…\"")),
        }
        if url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return Err(format!(
                "{text:?} has a query, a fragment or a user name; an issuer has none (RFC 8414 §2)"
            ));
        }
        if url.path() != "/" {
            return Err(format!(
                "{text:?} has a path; write the host alone, such as {:?}",
                url.origin().ascii_serialization()
            ));
        }
        let canonical = url.origin().ascii_serialization();
        if text != canonical {
            return Err(format!(
                "{text:?} is compared byte for byte by every service; write {canonical:?}"
            ));
        }
        Ok(Self {
            text: text.to_owned(),
            url,
        })
    }
}

/// Whether a URL leads to this machine.
pub(super) fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Where the value of a mapped claim comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimSource {
    /// The user's e-mail address.
    Email,
    /// Whether the address is verified.
    EmailVerified,
    /// The user's name.
    Name,
    /// The alphabetically first of the user's roles, for services that expect one.
    Role,
    /// A member of the user's attributes.
    Attribute(String),
}

impl FromStr for ClaimSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "email" => Ok(Self::Email),
            "email_verified" => Ok(Self::EmailVerified),
            "name" => Ok(Self::Name),
            "role" => Ok(Self::Role),
            _ => match text.strip_prefix("attributes.") {
                Some(name) if !name.is_empty() => Ok(Self::Attribute(name.to_owned())),
                _ => Err(format!(
                    "{text:?} is no source of a claim; write email, email_verified, name, role or attributes.NAME"
                )),
            },
        }
    }
}

impl fmt::Display for ClaimSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Email => f.write_str("email"),
            Self::EmailVerified => f.write_str("email_verified"),
            Self::Name => f.write_str("name"),
            Self::Role => f.write_str("role"),
            Self::Attribute(name) => write!(f, "attributes.{name}"),
        }
    }
}

as_string!(Issuer, ClaimSource);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_https_or_loopback_and_written_as_compared() {
        for text in [
            "https://auth.example.com",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "http://localhost:1",
        ] {
            assert!(text.parse::<Issuer>().is_ok(), "{text:?}");
        }
        for text in [
            "http://auth.example.com",
            "https://auth.example.com/",
            "https://AUTH.example.com",
            "https://auth.example.com:443",
            "https://auth.example.com?x",
            "https://a@auth.example.com",
            "ftp://auth.example.com",
            "auth.example.com",
            "",
        ] {
            assert!(text.parse::<Issuer>().is_err(), "{text:?}");
        }
    }
}
