//! Revocation entries: what takes tokens back before they expire, and how resource servers are told of them.
//!
//! Spec: RFC 7009 (what a client may revoke) · RFC 9700 §4.14.2 (families) · RFC 8725 §3.11 (explicit typing)

use serde::{Deserialize, Serialize};

/// The `typ` of a message of the revocation feed (RFC 8725 §3.11).
pub const TYPE: &str = "revocations+jwt";

/// Where the feed is, behind the issuer. Metadata does not name it: the documents of OpenID Connect Discovery have no member for it.
pub const PATH: &str = "/revocations";

/// One message of the feed: what was taken back behind one cursor, up to another. Messages make a chain: each begins where the one before
/// ended. One that begins at 0 begins the whole set anew; one without entries says that nothing has happened since.
///
/// ```
/// use carnet_oauth::revocation::{Revocation, RevocationKind, RevocationMessage};
///
/// let message = RevocationMessage {
///     iss: "https://auth.example.com".to_owned(),
///     aud: "orders-api".to_owned(),
///     iat: 1_471_566_154,
///     epoch: "bWJq".to_owned(),
///     since: 41,
///     cursor: 42,
///     more: false,
///     services: 7,
///     entries: vec![Revocation { kind: RevocationKind::Sid, value: "08a5019c".to_owned(), issued_before: None, exp: 1_471_567_114 }],
/// };
/// let json = serde_json::to_value(&message).unwrap();
/// assert_eq!(json["entries"][0], serde_json::json!({ "kind": "sid", "value": "08a5019c", "exp": 1_471_567_114 }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationMessage {
    /// The issuer, byte for byte as in its metadata.
    pub iss: String,
    /// The name of the consumer: nobody else is told by it.
    pub aud: String,
    /// Seconds since the epoch at which it was made: at that moment nothing lay behind `cursor` unless there is `more`.
    pub iat: u64,
    /// Which history the cursors belong to. Another one: what was known counts no more.
    pub epoch: String,
    /// The cursor that it goes on from; 0 begins the set anew.
    pub since: i64,
    /// The cursor that it leads to.
    pub cursor: i64,
    /// The `sequence` of the bundle of services at that moment: an older bundle counts no more. 0 where nothing is said of it.
    #[serde(default)]
    pub services: i64,
    /// Whether more follows at once: the set is not whole before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// What was taken back, in the order in which it was.
    pub entries: Vec<Revocation>,
}

/// Something that was taken back, as the feed tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// Which claim it is compared with.
    pub kind: RevocationKind,
    /// The value of that claim; for [`RevocationKind::SubClient`] `sub`, a space, and `client_id`.
    pub value: String,
    /// Only tokens with `iat` at or before this (seconds) are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<i64>,
    /// Seconds since the epoch at which the last token that it can match has expired.
    pub exp: i64,
}

/// What a token says of itself, as far as it can be taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RevocableToken<'t> {
    /// Its own id.
    pub jti: Option<&'t str>,
    /// The session behind it.
    pub sid: Option<&'t str>,
    /// The refresh family behind it.
    pub fam: Option<&'t str>,
    /// Whose it is.
    pub sub: Option<&'t str>,
    /// The client that it was made for.
    pub client_id: Option<&'t str>,
    /// The key that signed it.
    pub kid: Option<&'t str>,
    /// When it was made, in seconds. A token that does not say counts as an old one.
    pub iat: Option<u64>,
}

/// Which claim of a token an entry is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationKind {
    /// One token, by its `jti`.
    Jti,
    /// Every token of a session, by its `sid`.
    Sid,
    /// Every token of a refresh family, by its `fam`.
    Fam,
    /// Every token of a user made at or before a moment (`sub` and `iat`).
    Sub,
    /// Every token of a user at one client made at or before a moment.
    SubClient,
    /// Every token of a client made at or before a moment.
    Client,
    /// Every token signed by a key, by the header's `kid`.
    Kid,
}

impl RevocationKind {
    /// Every kind there is.
    pub const ALL: [Self; 7] = [
        Self::Jti,
        Self::Sid,
        Self::Fam,
        Self::Sub,
        Self::SubClient,
        Self::Client,
        Self::Kid,
    ];

    /// The name that is stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jti => "jti",
            Self::Sid => "sid",
            Self::Fam => "fam",
            Self::Sub => "sub",
            Self::SubClient => "sub_client",
            Self::Client => "client",
            Self::Kid => "kid",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl std::str::FromStr for RevocationKind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::from_name(name).ok_or(UnknownKind)
    }
}

/// No revocation kind has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKind;

impl std::fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no revocation kind has this name")
    }
}

impl std::error::Error for UnknownKind {}
