//! Where a person without a token is sent, when it is a person.
//!
//! Spec: RFC 9110 §15.4.3 (302) · Fetch Metadata (Sec-Fetch-Mode)

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use url::Url;

use crate::target::Target;

/// The login of a route: a path of the same host, or a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    template: String,
}

impl Login {
    /// From what the operator wrote: `{path}` stands for path and query that were asked for, `{url}` for the whole URL.
    ///
    /// `named` says whether the route names its hosts: a host that the request alone names would make the login send people, and what it
    /// gives them, to wherever somebody likes.
    pub(crate) fn read(text: &str, named: bool) -> Result<Self, &'static str> {
        let filled = text.replace("{path}", "x").replace("{url}", "x");
        if filled.contains(['{', '}']) {
            return Err("has a placeholder that is neither {path} nor {url}");
        }
        let local = text.starts_with('/') && !text.starts_with("//") && !text.contains('\\');
        let url = Url::parse(&filled).ok();
        let remote = url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !local && !remote {
            return Err("is neither a path nor an http or https URL");
        }
        let at = text.find(['?', '#']).unwrap_or(text.len());
        if text[..at].contains('{') {
            return Err("has a placeholder in front of its query");
        }
        if text.contains("{url}") && !named {
            return Err("sends people back to a host, and the route names none");
        }
        Ok(Self {
            template: text.to_owned(),
        })
    }

    /// A redirect, for a browser that opens a page. Whoever sent credentials is not asked for others.
    pub(crate) fn redirect(
        &self,
        (parts, target, https): (&Parts, &Target, Option<bool>),
    ) -> Option<Response> {
        let reads = matches!(parts.method, Method::GET | Method::HEAD);
        if !reads || !is_navigation(&parts.headers) {
            return None;
        }
        let path = target.path_and_query();
        let mut location = self.template.replace("{path}", &escaped(&path));
        if location.contains("{url}") {
            let scheme = if https? { "https" } else { "http" };
            let url = format!("{scheme}://{}{path}", target.authority());
            location = location.replace("{url}", &escaped(&url));
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::FOUND;
        let headers = response.headers_mut();
        headers.insert(header::LOCATION, HeaderValue::try_from(location).ok()?);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Some(response)
    }
}

/// A script that is answered with a page believes that all is well.
fn is_navigation(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let mode = text("sec-fetch-mode").is_none_or(|mode| mode == "navigate");
    let html = text("accept").is_some_and(|accept| accept.contains("text/html"));
    mode && html && !headers.contains_key("x-requested-with")
}

fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_a_path_or_a_url_and_sends_nobody_to_a_host_that_is_not_named() {
        for (text, named, fits) in [
            ("/bff/login?returnUrl={path}", false, true),
            ("https://login.test/?to={url}", true, true),
            ("https://login.test/?to={url}", false, false),
            ("https://login.test/?to={host}", true, false),
            ("https://{url}/", true, false),
            ("//login.test/", true, false),
            ("/\\login.test/", true, false),
            ("javascript:alert(1)", true, false),
            ("login", true, false),
        ] {
            assert_eq!(Login::read(text, named).is_ok(), fits, "{text}");
        }
    }
}
