//! Where people go after a login: a path of this app and nothing else.
//!
//! Spec: RFC 9700 §4.11 (open redirectors) · WHATWG URL

use url::Url;

/// `wanted`, when it is a path of the app at `origin`; else the home page.
pub fn local<'w>(wanted: &'w str, origin: &str) -> &'w str {
    // Browsers read `/\` as `//`, and leave out tabs and line breaks.
    let plain = wanted
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let rooted = wanted.starts_with('/') && !wanted.starts_with("//");
    let resolved = || Url::parse(origin).and_then(|origin| origin.join(wanted));
    let ours = || resolved().is_ok_and(|url| url.origin().ascii_serialization() == origin);
    if plain && rooted && wanted.len() <= MOST_BYTES && ours() {
        wanted
    } else {
        "/"
    }
}

/// The most bytes of a path that [`local`] returns: it travels in a cookie.
pub const MOST_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_app_are_returned_to() {
        let local = |wanted| local(wanted, "https://a.test");
        for path in [
            "/",
            "/notes?page=2&q=%2F%2Fevil.test#x",
            "/@evil.test",
            "/a//b",
            "/.//x",
        ] {
            assert_eq!(local(path), path);
        }
        let long = format!("/{}", "a".repeat(1024));
        for evil in [
            "//evil.test",
            "/\\evil.test",
            "/\t/evil.test",
            "/\n/evil.test",
            "\\\\evil.test",
            "https://evil.test",
            "https:/evil.test",
            "javascript:alert(1)",
            "evil",
            "",
            "/ a",
            long.as_str(),
        ] {
            assert_eq!(local(evil), "/", "{evil:?}");
        }
    }
}
