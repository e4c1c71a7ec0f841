//! What an app was described with, once it has been checked.
//!
//! Spec: RFC 6265bis §4.1.2.7 (SameSite)

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

/// Which requests that begin on another site carry a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SameSite {
    /// None at all.
    Strict,
    /// The links that people follow, and nothing that changes anything.
    Lax,
}
