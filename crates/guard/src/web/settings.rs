//! What an app was described with, once it has been checked.
//!
//! Spec: RFC 6265bis §4.1.2.7 (SameSite), §4.1.3.2 (`__Host-`)

use carnet_client::cookie::SameSite;

/// What the app was described with.
pub(super) struct Settings {
    /// Scheme, host and port, without a slash.
    pub(super) origin: String,
    pub(super) secure: bool,
    pub(super) audience: String,
    pub(super) scope: String,
    /// Without a slash at its end.
    pub(super) routes_at: String,
    pub(super) after_logout: String,
    pub(super) cookie_name: String,
    pub(super) same_site: SameSite,
    /// Seconds.
    pub(super) keep_for: u64,
}

impl Settings {
    /// The whole name of a cookie. Browsers enforce the prefix: `Secure`, `Path=/`, no `Domain`. On plain http, which is for this machine, they would
    /// refuse it.
    pub(super) fn cookie_name_of(&self, what: &str) -> String {
        let prefix = if self.secure { "__Host-" } else { "" };
        format!("{prefix}{}_{what}", self.cookie_name)
    }
}
