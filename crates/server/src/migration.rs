//! Where whoever asks in a way that OAuth 2.1 has dropped is shown how to ask instead.
//!
//! Spec: RFC 6749 §4.1.2.1, §5.2 (error_uri) · RFC 9700 §2.1.2 (implicit), §2.4 (password)

use crate::app::App;

/// The page.
pub(crate) const PATH: &str = "/oauth/implicit";
/// The grant type of RFC 6749 §4.3.
pub(crate) const PASSWORD: &str = "password";
/// What is longer, encoded, is left out: an answer is no longer than a header may be, whatever was asked.
const MAX_BYTES: usize = 256;

/// What the page fills in. None of it is a secret, and none is believed.
#[derive(Default)]
pub(crate) struct Before<'a> {
    pub(crate) client_id: &'a str,
    /// One that the client is registered with.
    pub(crate) redirect_uri: Option<&'a str>,
    pub(crate) scope: Option<&'a str>,
    pub(crate) response_type: Option<&'a str>,
    pub(crate) grant_type: Option<&'a str>,
}

impl Before<'_> {
    /// Where the page is, with these values.
    pub(crate) fn guide(&self, app: &App) -> String {
        let all = [
            ("client_id", Some(self.client_id)),
            ("redirect_uri", self.redirect_uri),
            ("scope", self.scope),
            ("response_type", self.response_type),
            ("grant_type", self.grant_type),
        ];
        let mut query = String::new();
        for (name, value) in all {
            let Some(value) = value else { continue };
            let mut pair = url::form_urlencoded::Serializer::new(String::new());
            let pair = pair.append_pair(name, value).finish();
            if pair.len() <= MAX_BYTES {
                query.push(if query.is_empty() { '?' } else { '&' });
                query.push_str(&pair);
            }
        }
        app.config.issuer.join(&format!("{PATH}{query}"))
    }
}
