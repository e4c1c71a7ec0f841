//! Where callers find a resource server.
//!
//! Spec: RFC 9449 §4.3, 9 (htu)

use url::Url;

/// The URL in front of every path: `named`, or the origin of an audience that is a URL. Without a slash at its end; `None` when neither is
/// there, and an error when `named` is no such URL.
pub(crate) fn public_url(named: Option<&str>, audience: &str) -> Result<Option<String>, String> {
    match named {
        Some(text) => {
            let url = read(text)
                .ok_or_else(|| format!("public_url: {text:?} is no http or https URL without query"))?;
            Ok(Some(url.as_str().trim_end_matches('/').to_owned()))
        }
        None => Ok(read(audience).map(|url| url.origin().ascii_serialization())),
    }
}

fn read(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    (matches!(url.scheme(), "http" | "https") && plain).then_some(url)
}
