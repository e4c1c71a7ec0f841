//! Redirect URIs: what may be registered, and what matches.
//!
//! Spec: RFC 6749 §3.1.2 · RFC 8252 §7 · RFC 9700 §2.1, §4.1

use url::{Host, Url};

use crate::plain_uri;

/// Whether this may be registered as a redirect URI; if not, what to write instead.
///
/// ```
/// use carnet_oauth::redirect_uri::check;
///
/// assert!(check("https://app.example.com/callback").is_ok());
/// assert!(check("http://127.0.0.1/callback").is_ok());
/// assert!(check("com.example.app:/callback").is_ok());
/// assert!(check("http://app.example.com/callback").is_err());
/// assert!(check("https://app.example.com/#callback").is_err());
/// ```
///
/// # Errors
/// A sentence that says what to write.
pub fn check(uri: &str) -> Result<(), &'static str> {
    let parsed =
        Url::parse(uri).map_err(|_| "write an absolute URI, such as https://app.example.com/callback")?;
    if uri.contains('#') {
        return Err("take the fragment out (RFC 6749 §3.1.2)");
    }
    if uri.contains('*') || !uri.bytes().all(|byte| (0x21..=0x7e).contains(&byte)) {
        return Err("write every URI out, in ASCII and without wildcards (RFC 9700 §4.1.3)");
    }
    // RU-10: the client would read the wrong one.
    let reserved = ["code", "state", "iss", "error", "error_description", "error_uri"];
    if parsed
        .query_pairs()
        .any(|(name, _)| reserved.contains(&name.as_ref()))
    {
        return Err("take code, state, iss and error out of the query: an answer brings its own");
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("take user name and password out");
    }
    // Browsers go elsewhere than whoever reads the URI by RFC 3986.
    if plain_uri::read(uri).is_none() {
        return Err(
            "write scheme and host as they are read: https://, a host in lower case without escapes and backslashes, no default port",
        );
    }
    match parsed.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(&parsed) => Ok(()),
        "http" => Err("write https; http is for loopback addresses alone"),
        // RFC 8252 §7.1: the reverse of a domain name that the app's maker has.
        scheme if scheme.contains('.') => Ok(()),
        _ => Err("write https, a loopback address, or a scheme with a dot such as com.example.app"),
    }
}

/// Whether a URI that was asked for is a registered one: byte for byte, but for the port of a loopback address, which a native app
/// learns only when it listens (RFC 8252 §7.3).
///
/// ```
/// use carnet_oauth::redirect_uri::matches;
///
/// assert!(matches("http://127.0.0.1/callback", "http://127.0.0.1:51004/callback"));
/// assert!(!matches("https://app.example.com/cb", "https://app.example.com:8443/cb"));
/// assert!(!matches("https://app.example.com/cb", "https://app.example.com/cb?x=1"));
/// ```
pub fn matches(registered: &str, asked: &str) -> bool {
    if registered == asked {
        return true;
    }
    let (Some(registered), Some(asked)) = (without_loopback_port(registered), without_loopback_port(asked))
    else {
        return false;
    };
    registered == asked
}

/// `http://127.0.0.1` or `http://[::1]`, and what follows the port.
fn without_loopback_port(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            port.parse::<u16>().ok()?;
            host
        }
        _ => authority,
    };
    ["127.0.0.1", "[::1]"].contains(&host).then_some((host, tail))
}

fn is_loopback(uri: &Url) -> bool {
    match uri.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ru_01_nothing_but_the_registered_uri_matches() {
        let registered = "https://app.example.com/cb?a=1";
        for asked in [
            "https://app.example.com/cb",
            "https://app.example.com/cb?a=1&b=2",
            "https://app.example.com/cb?a=1#x",
            "https://app.example.com/cb/?a=1",
            "https://APP.example.com/cb?a=1",
            "https://app.example.com.evil.test/cb?a=1",
            "https://app.example.com@evil.test/cb?a=1",
            "https://app.example.com/x/../cb?a=1",
            "https://app.example.com/%63b?a=1",
            "http://app.example.com/cb?a=1",
            "//app.example.com/cb?a=1",
            "",
        ] {
            assert!(!matches(registered, asked), "{asked}");
        }
        assert!(matches(registered, registered));
    }

    #[test]
    fn ru_02_only_the_port_of_a_loopback_address_is_free() {
        let registered = "http://127.0.0.1:80/cb";
        assert!(matches(registered, "http://127.0.0.1:4711/cb"));
        assert!(matches(registered, "http://127.0.0.1/cb"));
        assert!(matches("http://[::1]/cb", "http://[::1]:1/cb"));
        for asked in [
            "http://localhost:4711/cb",
            "http://127.0.0.2:4711/cb",
            "https://127.0.0.1:4711/cb",
            "http://127.0.0.1:99999/cb",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:80@evil.test/cb",
            "http://127.0.0.1:4711/cb/",
            "http://127.0.0.1:4711",
        ] {
            assert!(!matches(registered, asked), "{asked}");
        }
    }

    #[test]
    fn ru_03_what_cannot_be_registered() {
        for uri in [
            "/callback",
            "https://app.example.com/cb#f",
            "https://*.example.com/cb",
            "https://u:p@app.example.com/cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "http://192.0.2.1/cb",
            "myapp:/cb",
            "https://app.example.com/c b",
        ] {
            assert!(check(uri).is_err(), "{uri}");
        }
        for uri in [
            "https://app.example.com/cb?x=1",
            "http://localhost:3000/cb",
            "http://[::1]:1/cb",
            "com.example.app:/cb",
        ] {
            assert_eq!(check(uri), Ok(()), "{uri}");
        }
    }
}
