//! One page with everything in it, and the policy that lets nothing else in or out.

use axum::response::IntoResponse;
use carnet_jose::primitive;
use data_encoding::BASE64;
use http::{HeaderName, HeaderValue, header};

const BASE: &str = include_str!("../../assets/tools/base.html");
const STYLE: &str = include_str!("../../assets/style.css");

/// A tool.
pub(super) struct Page {
    pub(super) path: &'static str,
    pub(super) title: &'static str,
    /// The same on the command line.
    pub(super) command: &'static str,
    pub(super) body: &'static str,
    /// Its scripts, each after those that it uses: they become one.
    pub(super) scripts: &'static [&'static str],
    /// What it may frame.
    pub(super) frames: &'static str,
}

impl Page {
    /// The page as it is sent, put together once.
    pub(super) fn answer(&self, all: &[Self]) -> impl IntoResponse + Clone + use<> {
        let script = self.scripts.join("\n");
        let policy = format!(
            "default-src 'none'; script-src {}; style-src {}; img-src data:; connect-src 'none'; frame-src {}; base-uri 'none'; \
             form-action 'none'",
            hash_of(&script),
            hash_of(STYLE),
            self.frames
        );
        let html = BASE
            .replace("{{title}}", self.title)
            .replace("{{command}}", self.command)
            .replace("{{policy}}", &attribute(&policy))
            .replace("{{nav}}", &self.navigation(all))
            .replace("{{body}}", self.body)
            .replace("{{style}}", STYLE)
            .replace("{{script}}", &script);
        // A page cannot say of itself who may frame it (CSP 3 §3.3).
        let sent = format!("{policy}; frame-ancestors 'none'");
        ([html_type(), with_policy(&sent)], html)
    }

    fn navigation(&self, all: &[Self]) -> String {
        let item = |page: &Self| {
            let current = if page.path == self.path {
                " aria-current=\"page\""
            } else {
                ""
            };
            format!(
                "<a class=\"item\" href=\"{}\"{current}>{}</a>",
                page.path, page.title
            )
        };
        all.iter().map(item).collect()
    }
}

/// How a policy names a script or style that stands in the page itself.
pub(super) fn hash_of(text: &str) -> String {
    format!("'sha256-{}'", BASE64.encode(&primitive::sha256(text.as_bytes())))
}

/// Text as it stands in an attribute (HTML §13.3).
fn attribute(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

pub(super) fn html_type() -> (HeaderName, HeaderValue) {
    (
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    )
}

pub(super) fn with_policy(policy: &str) -> (HeaderName, HeaderValue) {
    let none = HeaderValue::from_static("default-src 'none'");
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_str(policy).unwrap_or(none),
    )
}
