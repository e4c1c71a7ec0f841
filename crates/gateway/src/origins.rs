//! Where a page is from, as its browser says it: it is compared letter by letter.
//!
//! Spec: RFC 6454 §6.2 · Fetch §3.2 (Origin)

use url::Url;

use crate::target;

/// Whether a browser could say this. Not `null`: that many pages say, and whoever likes can make one.
pub(crate) fn is_one(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else {
        return false;
    };
    // Apps and extensions have schemes of their own.
    let first = scheme
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase());
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    let spelled = target::host(authority).is_ok_and(|(host, port)| match port {
        Some(port) => authority == format!("{host}:{port}"),
        None => authority == host,
    });
    // Pages have the origin of what they were loaded with, and files have none.
    let of_pages = !matches!(scheme, "ws" | "wss" | "file" | "ftp" | "data" | "blob");
    // A port that goes without saying is not said, and an address is written out.
    let usual = !matches!(scheme, "http" | "https")
        || Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == text);
    first && of_pages && scheme.bytes().all(known) && spelled && usual
}

/// What is wrong with one that is none.
pub(crate) fn wrong(text: &str) -> String {
    format!("{text:?} is no origin that a browser could name")
}

/// What to write for one.
pub(crate) const ADVICE: &str =
    "write scheme, host and any unusual port in small letters, as in \"https://app.example.com\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for text in [
            "https://app.example.com",
            "http://localhost:5173",
            "http://127.0.0.1:8080",
            "https://[2001:db8::1]:8443",
            "https://xn--bcher-kva.example",
            "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
            "moz-extension://3c6bf0cc-3ae2-42fb-9993-0d33104fdcaf",
            "capacitor://localhost",
        ] {
            assert!(is_one(text), "{text}");
        }
        for text in [
            "",
            "*",
            "null",
            "a",
            "a.test",
            "//a.test",
            "https://",
            "https://a.test/",
            "https://a.test/x",
            "https://A.test",
            "HTTPS://a.test",
            "https://*.a.test",
            "https://a.test:443",
            "http://a.test:80",
            "https://a.test:",
            "https://a.test:99999",
            "https://a.test:0443",
            "https://user@a.test",
            "https://a.test?x",
            "https://a.test ",
            "https://bücher.example",
            "https://127.1",
            "https://[0:0::1]",
            "wss://a.test",
            "file://a.test",
        ] {
            assert!(!is_one(text), "{text}");
        }
    }
}
