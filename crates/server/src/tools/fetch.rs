//! `GET /tools/fetch`: a frame that may ask one address, so that the page with the token need not ask any.

use axum::extract::Query;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use url::{Host, Url};

use super::page::{hash_of, html_type, with_policy};
use crate::http::failure::Refusal;

const SCRIPT: &str = include_str!("../../assets/tools/fetch.js");

#[derive(Deserialize)]
pub(super) struct Wanted {
    url: String,
}

pub(super) async fn fetch(Query(wanted): Query<Wanted>) -> Response {
    let Some(origin) = askable(&wanted.url) else {
        const REASON: &str = "give the https address of a key set; http is for this machine alone";
        return Refusal::new(StatusCode::BAD_REQUEST, "invalid_request", REASON).into_response();
    };
    let policy = format!(
        "default-src 'none'; script-src {}; connect-src {origin}; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
        hash_of(SCRIPT)
    );
    let framed = (header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    let html =
        format!("<!doctype html><html lang=\"en\"><title>Fetch</title><script>{SCRIPT}</script></html>");
    ([html_type(), with_policy(&policy), framed], html).into_response()
}

/// The origin of an address that a page may ask: nothing in it could end a directive and begin another.
fn askable(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let local = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let plain = url.username().is_empty() && url.password().is_none();
    let right_scheme = url.scheme() == "https" || url.scheme() == "http" && local;
    (right_scheme && plain).then(|| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::askable;

    #[test]
    fn an_address_is_https_or_of_this_machine_and_cannot_widen_the_policy() {
        assert_eq!(
            askable("https://a.test/jwks.json?x=1").as_deref(),
            Some("https://a.test")
        );
        assert_eq!(
            askable("http://127.0.0.1:8080/keys").as_deref(),
            Some("http://127.0.0.1:8080")
        );
        for text in [
            "http://a.test/",
            "https://u:p@a.test/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://a.test; script-src *",
            "https://a test/",
            "//a.test",
            "",
        ] {
            assert_eq!(askable(text), None, "{text}");
        }
    }
}
