//! Whether clients may register themselves, and what such a client may be.
//!
//! Spec: RFC 7591 §3, §5 · RFC 9700 §4.15

use carnet_oauth::grant_type::GrantType;
use carnet_oauth::scope::ScopeSet;
use serde::{Deserialize, Serialize};

use carnet_listen::value::Ttl;

/// `[client_registration]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientRegistration {
    /// Who may register a client at the registration endpoint.
    pub policy: ClientRegistrationPolicy,
    /// How such a client may ask for tokens.
    pub grant_types: Vec<GrantType>,
    /// The scopes that it may ask for, and is registered with when it names none.
    pub scope: ScopeSet,
    /// The audiences that it may ask for; the first is its default.
    pub audiences: Vec<String>,
    /// How many such clients there may be.
    pub max_clients: u32,
    /// Attempts to register from one address within `login.throttle_window`.
    pub requests_per_address: u32,
    /// A client that was not seen for this long is deleted.
    pub forget_unused_after: Ttl,
}

/// Who may register a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientRegistrationPolicy {
    /// The operator.
    Closed,
    /// Whoever has a token that the operator has made.
    InitialAccessToken,
    /// Anybody.
    Open,
}

impl Default for ClientRegistration {
    fn default() -> Self {
        Self {
            policy: ClientRegistrationPolicy::Closed,
            grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            scope: ["openid", "profile", "email", "offline_access"]
                .join(" ")
                .parse()
                .unwrap_or_default(),
            audiences: Vec::new(),
            max_clients: 1_000,
            requests_per_address: 20,
            forget_unused_after: Ttl::days(90),
        }
    }
}
