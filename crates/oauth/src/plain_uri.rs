//! URIs that everybody reads alike: where browsers and other programs would see different hosts, nobody knows where one leads.
//!
//! Spec: RFC 3986 §3.1, §3.2 · URL Standard §4.4 (what browsers read)

use url::{Host, Position, Url};

/// The URI, if its scheme and its authority are written as they are read, in ASCII, without backslashes. The host of a web address is one of letters,
/// digits, `.`, `-` and `_`.
///
/// ```
/// use carnet_oauth::plain_uri::read;
///
/// assert!(read("https://app.example.com:8443/cb?a=1").is_some());
/// assert!(read("com.example.app:/cb").is_some());
/// for odd in ["https:app.example.com", "https:/app.example.com", "https://app.example.com\\@evil.test", "https://%61pp.example.com"] {
///     assert!(read(odd).is_none());
/// }
/// ```
pub fn read(uri: &str) -> Option<Url> {
    let is_plain = uri
        .bytes()
        .all(|byte| (0x21..=0x7e).contains(&byte) && byte != b'\\');
    let parsed = Url::parse(uri).ok().filter(|_| is_plain)?;
    let rest = uri.strip_prefix(&parsed[..Position::BeforePath])?;
    let ends = !parsed.has_authority() || rest.is_empty() || rest.starts_with(['/', '?', '#']);
    (ends && has_plain_host(&parsed)).then_some(parsed)
}

/// The URL Standard lets `;`, `,` and others into a host, which mean something in a Content-Security-Policy. No host of an app's own scheme comes into
/// one.
fn has_plain_host(uri: &Url) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || ".-_".contains(letter);
    match uri.host().filter(|_| matches!(uri.scheme(), "http" | "https")) {
        Some(Host::Domain(name)) => name.chars().all(is_plain),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) | None => true,
    }
}

/// The URI, if it is one of https that leads a person somewhere: without user name and password.
pub fn read_link(uri: &str) -> Option<Url> {
    read(uri).filter(|url| url.scheme() == "https" && url.username().is_empty() && url.password().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_browsers_read_otherwise_than_rfc_3986_is_not_read() {
        for odd in [
            "https:app.test",
            "https:/app.test/cb",
            "https:///app.test/cb",
            "https:\\\\app.test/cb",
            "https://app.test\\@evil.test/cb",
            "https://app.test/a\\b",
            "https://app%2etest/cb",
            "https://ａpp.test/cb",
            "https://@app.test/cb",
            "https://app.test:/cb",
            "https://app.test:443/cb",
            "https://APP.test/cb",
            "HTTPS://app.test/cb",
            "http://127.1/cb",
            "http://2130706433/cb",
            "https://app.\ttest/cb",
            "https://app.test/\u{202e}",
            "https://0;sandbox/cb",
            "https://0,x/cb",
            "https://a'b.test/cb",
            "https://*.test/cb",
            " https://app.test/",
            "",
        ] {
            assert!(read(odd).is_none(), "{odd:?}");
        }
        for plain in [
            "https://app.test",
            "https://app.test?x",
            "https://xn--bcher-kva.test/cb",
            "http://[::1]:8080/cb",
            "http://127.0.0.1:0/cb",
            "com.example.app:/cb",
            "com.example.app://cb",
            "com.example.app:cb",
            "com.example.app://a+b%20c/cb",
        ] {
            assert!(read(plain).is_some(), "{plain:?}");
        }
        for nowhere in [
            "https://a:b@app.test/",
            "https://:b@app.test/",
            "http://app.test/",
            "com.example.app:/",
        ] {
            assert!(read_link(nowhere).is_none(), "{nowhere:?}");
        }
    }
}
