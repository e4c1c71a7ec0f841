//! A client: a program that asks for tokens. What a `[[clients]]` table says, and what `carnet client add` registers.
//!
//! Spec: RFC 7591 §2 (most of the names) · RFC 9449 §5.2 (dpop)

use std::collections::BTreeMap;
use std::path::PathBuf;

use carnet_jose::Algorithm;
use carnet_oauth::client_auth::AuthMethod;
use carnet_oauth::grant_type::GrantType;
use carnet_oauth::scope::ScopeSet;
use serde::{Deserialize, Serialize};

use carnet_listen::value::Ttl;

/// The algorithms of a client's assertion.
pub const ASSERTION_ALGORITHMS: &[Algorithm] = &[
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::Ed25519,
    Algorithm::Ps256,
    Algorithm::Rs256,
];

/// The fewest bytes of a client's secret.
pub const LEAST_SECRET_BYTES: usize = 32;

/// `[[clients]]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// The client's name in requests and tokens.
    pub id: String,
    /// The name that people are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The same in other languages, by their tag (BCP 47).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
    /// How it may ask for tokens at the token endpoint. None of them: it is a client of the login API.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grant_types: Vec<GrantType>,
    /// How it proves who it is there; `none` for a public client.
    #[serde(default)]
    pub auth_method: AuthMethod,
    /// Its secret, mode 0600, for `client_secret_basic` and `client_secret_post`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// Its public keys as a JWKS, for `private_key_jwt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_file: Option<PathBuf>,
    /// The same, written here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<serde_json::Value>,
    /// Where they are: fetched when they are needed, and again when an assertion names a key that is not among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// The one algorithm of its assertions; every usual one when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertion_signing: Option<Algorithm>,
    /// Where codes may be sent, byte for byte; the port of a loopback address is free (RFC 8252 §7.3).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirect_uris: Vec<String>,
    /// Where a browser may be sent after a logout.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_logout_redirect_uris: Vec<String>,
    /// Where it is told, server to server, that a session has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<String>,
    /// Whether it must be told which session. It always is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backchannel_logout_session_required: bool,
    /// What is loaded in the browser when a session has ended; of the same origin as one of its `redirect_uris`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontchannel_logout_uri: Option<String>,
    /// Whether it must be told which session. It always is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub frontchannel_logout_session_required: bool,
    /// Whether a code needs PKCE. Only a confidential client may do without, by `nonce` (OAuth 2.1 §7.5.1).
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub require_pkce: bool,
    /// When users are asked whether the client may.
    #[serde(default)]
    pub consent: Consent,
    /// Whether it has to push its requests (RFC 9126); always, when `authorization` says so for everybody.
    #[serde(default, skip_serializing_if = "is_no")]
    pub require_pushed_authorization_requests: bool,
    /// How old a login may be when the request does not say (`default_max_age`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_max_age: Option<Ttl>,
    /// What is told about the user in its ID tokens.
    #[serde(default, skip_serializing_if = "IdTokenClaims::is_default")]
    pub id_token_claims: IdTokenClaims,
    /// The algorithm of its ID tokens: RS256 when a key is kept for it, else the first of `keys.algorithms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token_signing: Option<Algorithm>,
    /// Its home page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Its logo, an https URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// Its privacy policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// Its terms of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    /// Whether its access tokens are always bound to a key of its own (RFC 9449 §5.2: `dpop_bound_access_tokens`).
    #[serde(default, skip_serializing_if = "DpopPolicy::is_optional")]
    pub dpop: DpopPolicy,
    /// Where its refresh token travels, at the login API.
    #[serde(default)]
    pub refresh_token_in: RefreshTokenIn,
    /// The scopes it may ask for. It gets them all when it asks for none, but for those of OpenID Connect.
    #[serde(default)]
    pub scope: ScopeSet,
    /// The audiences it may ask for; the first is its default. Every resource when empty.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// The APIs that it is: whose tokens it may exchange (RFC 8693) for one that it calls the next API with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exchange_audiences: Vec<String>,
    /// Whether it is a service: its keys are published, and other services know it by tokens that it signs itself.
    #[serde(default, skip_serializing_if = "is_no")]
    pub service: bool,
    /// The services that it may call, by their ids. Nothing is published when empty: each service decides by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<String>,
    /// Origins of its browser app.
    #[serde(default)]
    pub origins: Vec<String>,
    /// Life of its access tokens, when not `tokens.access_ttl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_ttl: Option<Ttl>,
    /// Its own grace for honest retries, when not `tokens.refresh_grace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_grace: Option<Ttl>,
    /// How long its refresh tokens may rest, when not `tokens.refresh_idle`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_idle: Option<Ttl>,
    /// When its refresh tokens end, when not `tokens.refresh_absolute`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_absolute: Option<Ttl>,
    /// Whether a refresh token is replaced by another when it is used.
    #[serde(default, skip_serializing_if = "RefreshRotation::is_on")]
    pub refresh_rotation: RefreshRotation,
    /// For whom its assertions may be meant.
    #[serde(default, skip_serializing_if = "AssertionAudience::is_issuer")]
    pub assertion_audience: AssertionAudience,
    /// The algorithm of its access tokens for APIs that do not say which they take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token_signing: Option<Algorithm>,
}

/// When users are asked whether a client may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consent {
    /// Once, and again when it wants more.
    #[default]
    Remembered,
    /// Every time.
    Explicit,
    /// Never: the client is the operator's own. A public one whose redirect URI any program on a device may take is asked about all the
    /// same (RFC 8252 §8.6).
    None,
}

/// What is told about the user in ID tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdTokenClaims {
    /// What the request asks for by the parameter `claims`; the rest is told at the userinfo endpoint.
    #[default]
    Asked,
    /// Everything that the scopes open as well.
    Full,
}

impl IdTokenClaims {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether a client has to prove a key by DPoP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DpopPolicy {
    /// Tokens are bound to a key when the client proves one, and are bearer tokens otherwise.
    #[default]
    Optional,
    /// A token request without a proof is refused.
    Required,
}

impl DpopPolicy {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_optional(&self) -> bool {
        *self == Self::Optional
    }
}

/// Where a refresh token travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefreshTokenIn {
    /// In an HttpOnly cookie, out of reach of scripts.
    #[default]
    Cookie,
    /// In JSON bodies, for native apps with a safe place of their own.
    Body,
}

/// Whether a refresh token is replaced when it is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefreshRotation {
    /// By the next one; a spent one that comes back is a theft (RFC 9700 §4.14.2).
    #[default]
    On,
    /// It stays as it is: only for a confidential client whose tokens are bound to a key, as FAPI 2.0 asks.
    Off,
}

impl RefreshRotation {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_on(&self) -> bool {
        *self == Self::On
    }
}

/// For whom a client's assertions may be meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssertionAudience {
    /// The issuer, and nobody else (CVE-2025-27370).
    #[default]
    Issuer,
    /// Also the URL of the token endpoint, for clients that know nothing else (OpenID Connect Core §9).
    TokenEndpoint,
}

impl AssertionAudience {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_issuer(&self) -> bool {
        *self == Self::Issuer
    }
}

impl Client {
    /// A client of this name, with every default.
    pub fn named(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: None,
            names: BTreeMap::new(),
            grant_types: Vec::new(),
            auth_method: AuthMethod::None,
            secret_file: None,
            jwks_file: None,
            jwks: None,
            jwks_uri: None,
            assertion_signing: None,
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            backchannel_logout_uri: None,
            backchannel_logout_session_required: false,
            frontchannel_logout_uri: None,
            frontchannel_logout_session_required: false,
            require_pkce: true,
            consent: Consent::default(),
            require_pushed_authorization_requests: false,
            default_max_age: None,
            id_token_claims: IdTokenClaims::default(),
            id_token_signing: None,
            uri: None,
            logo_uri: None,
            policy_uri: None,
            tos_uri: None,
            dpop: DpopPolicy::default(),
            refresh_token_in: RefreshTokenIn::default(),
            scope: ScopeSet::default(),
            audiences: Vec::new(),
            exchange_audiences: Vec::new(),
            service: false,
            calls: Vec::new(),
            origins: Vec::new(),
            access_ttl: None,
            refresh_grace: None,
            refresh_idle: None,
            refresh_absolute: None,
            refresh_rotation: RefreshRotation::default(),
            assertion_audience: AssertionAudience::default(),
            access_token_signing: None,
        }
    }

    /// Whether a stolen token of it is of no use to the thief: it proves who it is, and a key with each request.
    pub fn is_sender_constrained(&self) -> bool {
        self.auth_method != AuthMethod::None && self.dpop == DpopPolicy::Required
    }
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_yes(value: &bool) -> bool {
    *value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_no(value: &bool) -> bool {
    !*value
}

/// One key, as `carnet jwk generate --public-out` writes it, is a set of one.
pub fn one_or_set(jwks: serde_json::Value) -> serde_json::Value {
    match jwks.get("kty") {
        Some(_) => serde_json::json!({ "keys": [jwks] }),
        None => jwks,
    }
}
