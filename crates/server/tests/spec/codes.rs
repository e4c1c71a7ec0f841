//! No answer of the server has a code that `carnet explain` does not know.

use http::Response;

use carnet_server::http::failure::Noted;

const PAGE: &str = include_str!("../../../../docs/codes.md");

/// Called with every answer that a test gets.
pub(crate) fn assert_explained<B>(response: &Response<B>) {
    if let Some(Noted { code, .. }) = response.extensions().get() {
        let explained = PAGE.lines().any(|line| line.strip_prefix("## ") == Some(code));
        assert!(explained, "docs/codes.md has no entry {code}");
    }
}
