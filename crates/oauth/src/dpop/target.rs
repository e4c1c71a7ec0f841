//! The target of a request, in the one spelling that can be compared.
//!
//! Spec: RFC 9449 §4.3, 9 · RFC 3986 §6.2.2 (syntax), §6.2.3 (scheme)

use url::Url;

/// A URL of http or https without query and fragment, normalized; `None` for what is none.
///
/// Letter case of scheme and host, default ports, an empty path and dot segments make no difference, nor does a letter that is
/// percent-encoded. Everything else does: a slash at the end, the case of the path, a user name.
pub(super) fn target(uri: &str) -> Option<String> {
    // What RFC 3986 does not have in a URI, lenient parsers leave out or turn around.
    let foreign = |byte: u8| !(0x21..=0x7e).contains(&byte) || b"\"<>\\^`{|}".contains(&byte);
    if uri.bytes().any(foreign) {
        return None;
    }
    let mut url = Url::parse(uri).ok()?;
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = decoded(url.path())?;
    url.set_path(&path);
    Some(url.into())
}

/// §6.2.2.1, §6.2.2.2: percent-encoded unreserved characters as themselves, all others in capitals; `None` for half an encoding.
fn decoded(path: &str) -> Option<String> {
    let mut whole = String::with_capacity(path.len());
    let mut pieces = path.split('%');
    whole.push_str(pieces.next()?);
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        // Two digits and no sign, which `from_str_radix` would take.
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let byte = u8::from_str_radix(digits, 16).ok()?;
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            whole.push(char::from(byte));
        } else {
            whole.push('%');
            whole.push_str(&digits.to_ascii_uppercase());
        }
        whole.push_str(rest);
    }
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_target_are_one() {
        let one = target("https://auth.example.com/oauth/token").unwrap();
        for uri in [
            "HTTPS://AUTH.EXAMPLE.COM/oauth/token",
            "https://auth.example.com:443/oauth/token",
            "https://auth.example.com/oauth/token?a=b#c",
            "https://auth.example.com/oauth/%74oken",
            "https://auth.example.com/x/../oauth/./token",
            "https://auth.example.com/x/%2E%2e/oauth/token",
        ] {
            assert_eq!(target(uri).as_deref(), Some(one.as_str()), "{uri}");
        }
        assert_eq!(target("https://api.test"), target("https://api.test/"));
        assert_eq!(target("https://api.test/a%2fb"), target("https://api.test/a%2Fb"));
    }

    #[test]
    fn other_targets_are_others() {
        let one = target("https://auth.example.com/oauth/token");
        for uri in [
            "http://auth.example.com/oauth/token",
            "https://auth.example.com/oauth/token/",
            "https://auth.example.com/oauth/Token",
            "https://auth.example.com:8443/oauth/token",
            "https://auth.example.com.evil.test/oauth/token",
            "https://evil@auth.example.com/oauth/token",
            "https://auth.example.com/oauth%2Ftoken",
            "https://auth.example.com/oauth/to%2",
            "https://auth.example.com/oauth/to%+1",
            "https:\\\\auth.example.com\\oauth\\token",
            "https://auth.example.com/oauth/\ttoken",
            "ftp://auth.example.com/oauth/token",
            "/oauth/token",
            "",
        ] {
            assert_ne!(target(uri), one, "{uri}");
        }
    }
}
