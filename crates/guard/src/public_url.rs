//! Where callers find a resource server.
//!
//! Spec: RFC 9449 §4.3, 9 (htu)

use http::request::Parts;
use url::Url;

/// The URL in front of every path: `named`, or the origin of an audience that is a URL. Without a slash at its end; `None` when neither is
/// there, and an error when `named` is no such URL.
pub(crate) fn public_url(named: Option<&str>, audience: &str) -> Result<Option<String>, String> {
    match named {
        Some(text) => base("public_url", text).map(Some),
        None => Ok(read(audience).map(|url| url.origin().ascii_serialization())),
    }
}

/// The URL in front of every path, as the setting `name` says it.
pub(crate) fn base(name: &str, text: &str) -> Result<String, String> {
    let url = read(text).ok_or_else(|| format!("{name}: {text:?} is no http or https URL without query"))?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// The URL of a request to what is found there.
pub(crate) fn url_below(base: &str, request: &Parts) -> String {
    format!("{base}{}", path_of(request))
}

/// The whole path: a nested router has cut off what leads to it.
#[cfg(feature = "axum")]
fn path_of(request: &Parts) -> &str {
    let original = request.extensions.get::<axum::extract::OriginalUri>();
    original.map_or(&request.uri, |original| &original.0).path()
}

#[cfg(not(feature = "axum"))]
fn path_of(request: &Parts) -> &str {
    request.uri.path()
}

fn read(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    (matches!(url.scheme(), "http" | "https") && plain).then_some(url)
}
