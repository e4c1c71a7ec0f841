//! ID tokens: the only place that mints them.
//!
//! Spec: OpenID Connect Core §2, §3.1.3.6 (at_hash), §5.5 (claims asked for), §12.2 (after a refresh)

use std::collections::BTreeMap;

use carnet_jose::{Algorithm, base64url, primitive};
use carnet_oauth::id_token::IdTokenClaims;
use carnet_oauth::scope::ScopeSet;
use serde_json::Value;

use super::asked::Asked;
use super::granted::Granted;
use super::user_claims::Telling;
use crate::app::App;
use crate::config;
use crate::http::failure::{Failure, overloaded};

/// The only way to log in that there is.
pub const PASSWORD_ACR: &str = "urn:carnet:acr:password";

/// Signs what the client learns about the login.
pub(super) fn mint(
    app: &App,
    granted: &Granted<'_>,
    access_token: &str,
    asked: Asked<'_>,
) -> Result<String, Failure> {
    let algorithm = algorithm(app, granted.client)
        .ok_or_else(|| Failure::broken("no published key is kept that could sign an ID token"))?;
    let now = app.now_seconds();
    let claims = IdTokenClaims {
        iss: app.config.issuer.as_str().to_owned(),
        sub: granted.user.sub.clone(),
        aud: granted.client.id.clone(),
        exp: now.saturating_add(granted.client.access_ttl.as_seconds()),
        iat: now,
        auth_time: u64::try_from(granted.auth_time / 1000).ok(),
        nonce: asked.nonce.map(str::to_owned),
        acr: acr(asked),
        amr: vec!["pwd".to_owned()],
        at_hash: at_hash(algorithm, access_token),
        sid: Some(granted.family.sid.clone()),
        user: about_user(app, granted, asked),
    };
    let signer = app.keys.id_token_signer(algorithm).ok_or_else(|| {
        tracing::error!(algorithm = algorithm.name(), "there is no active signing key");
        overloaded(1)
    })?;
    signer.sign(&claims).map_err(Failure::broken)
}

/// How the user proved who they are, when the request asked for it, by whatever value (§5.5.1.1: `acr` is voluntary).
fn acr(asked: Asked<'_>) -> Option<String> {
    let wanted = asked
        .claims
        .is_some_and(|claims| claims.id_token.contains_key("acr"));
    wanted.then(|| PASSWORD_ACR.to_owned())
}

/// §5.4: what the scopes open is told by userinfo, unless the client is registered to have it here as well, or its access token is of no use
/// there: that of an API with a shared secret.
fn about_user(app: &App, granted: &Granted<'_>, asked: Asked<'_>) -> BTreeMap<String, Value> {
    let resource = app.directory.resource(&granted.family.audience);
    let nowhere_else = resource.is_some_and(|resource| resource.shared.is_some());
    let none = ScopeSet::default();
    let mut by_name = BTreeMap::new();
    if let Some(claims) = asked.claims {
        let of_userinfo = claims.userinfo.iter().filter(|_| nowhere_else);
        by_name.extend(
            of_userinfo
                .chain(&claims.id_token)
                .map(|(name, request)| (name.clone(), request.clone())),
        );
    }
    let telling = Telling {
        scope: match granted.client.id_token_claims {
            config::IdTokenClaims::Asked if !nowhere_else => &none,
            _ => &granted.scope,
        },
        asked: &by_name,
        most: &granted.client.scope,
    };
    telling.about(granted.user)
}

/// What the client is registered with; else RS256, which every client knows, when a key is kept for it; else the first there is.
pub fn algorithm(app: &App, client: &config::Client) -> Option<Algorithm> {
    let kept = &app.config.keys.algorithms;
    let registered = client
        .id_token_signing
        .filter(|algorithm| kept.contains(algorithm));
    let common = || kept.iter().find(|algorithm| **algorithm == Algorithm::Rs256);
    registered.or_else(|| common().or_else(|| kept.first()).copied())
}

/// §3.1.3.6 hashes with the function of the signature; it is told for those of SHA-256, and may be left out for others.
fn at_hash(algorithm: Algorithm, access_token: &str) -> Option<String> {
    let sha256 = algorithm.name().ends_with("256");
    let hash = primitive::sha256(access_token.as_bytes());
    sha256.then(|| base64url::encode(&hash[..16]))
}
