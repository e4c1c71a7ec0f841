//! The claims of a logout token: how a client learns that a session has ended.
//!
//! Spec: OpenID Connect Back-Channel Logout 1.0 §2.4 · RFC 8417 §2 (events)

use serde::{Deserialize, Serialize};

/// The `typ` of a logout token's header (§2.4, RFC 8725 §3.11).
pub const TYPE: &str = "logout+jwt";

/// What a client learns about the end of a session. There is no `nonce`: with one it could be taken for an ID token (§2.4).
///
/// ```
/// use carnet_oauth::logout_token::{LogoutEvents, LogoutTokenClaims};
///
/// let claims = LogoutTokenClaims {
///     iss: "https://auth.example.com".to_owned(),
///     aud: "shop".to_owned(),
///     sub: "248289761001".to_owned(),
///     sid: "08a5019c".to_owned(),
///     iat: 1_471_566_154,
///     exp: 1_471_566_274,
///     jti: "bWJq".to_owned(),
///     events: LogoutEvents::default(),
/// };
/// let json = serde_json::to_value(&claims).unwrap();
/// assert_eq!(json["events"], serde_json::json!({ "http://schemas.openid.net/event/backchannel-logout": {} }));
/// assert!(json.get("nonce").is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogoutTokenClaims {
    /// The issuer, byte for byte as in its metadata.
    pub iss: String,
    /// The client: nobody else is told by it.
    pub aud: String,
    /// Whose session it was.
    pub sub: String,
    /// The session, as the client's ID tokens name it.
    pub sid: String,
    /// Seconds since the epoch at which it was made.
    pub iat: u64,
    /// Seconds since the epoch after which it is refused.
    pub exp: u64,
    /// Its own name, so that it counts once.
    pub jti: String,
    /// That it is a logout.
    pub events: LogoutEvents,
}

/// The member `events`: an object with the one event, whose value is an empty object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogoutEvents {
    /// The session has ended.
    #[serde(rename = "http://schemas.openid.net/event/backchannel-logout")]
    pub logout: LogoutEvent,
}

/// Says nothing but that it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogoutEvent {}
