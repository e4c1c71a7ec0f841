//! Access tokens: the only place that mints them.
//!
//! Spec: RFC 9068 §2.2 · RFC 8693 §4.1 (act) · RFC 9449 §6.1 (cnf) · RFC 9470 §6.2 (acr, auth_time)

use std::collections::BTreeMap;

use carnet_jose::{base64url, primitive};
use carnet_oauth::access_token::{AccessTokenClaims, Actor, Audience, Confirmation, RESERVED_CLAIMS};
use carnet_oauth::scope::ScopeSet;
use carnet_oauth::token_response::{TokenResponse, token_type};
use carnet_store::{Access, Family, User};
use serde_json::Value;

use crate::app::App;
use crate::client::Client;
use crate::config::ClaimSource;
use crate::http::failure::{Failure, overloaded};
use crate::token::id_token::PASSWORD_ACR;

/// Everything that a new access token says.
pub struct Approved<'a> {
    /// Whom it is about.
    pub subject: Subject<'a>,
    /// Who asked for it.
    pub client: &'a Client,
    /// The resource that it is for.
    pub audience: &'a str,
    /// What it may be used for.
    pub scope: ScopeSet,
    /// The key that it is bound to, by its thumbprint.
    pub jkt: Option<&'a str>,
    /// Who acts for the user, when it is not the user's own client: the client, and who acted before it (RFC 8693 §1.1).
    pub act: Option<Actor>,
    /// When that expires by which the user is known, in seconds since 1970: no token outlives it.
    pub ends_by: Option<u64>,
}

/// Whom an access token is about.
pub enum Subject<'a> {
    /// A user who has logged in.
    User(Login<'a>),
    /// The client itself: no user stands behind it (RFC 9068 §5).
    Client,
}

/// A user, and the login that stands behind a token.
pub struct Login<'a> {
    /// Who.
    pub user: &'a User,
    /// The family behind the token; names its session.
    pub family: &'a Family,
    /// The user's roles and permissions at the audience.
    pub access: Access,
    /// When the user proved who they are to us, in milliseconds, if they did.
    pub auth_time: Option<i64>,
}

const WARN_BYTES: usize = 2 * 1024;
const MAX_BYTES: usize = 4 * 1024;

/// Signs an access token with the key of its audience: the answer that carries it (RFC 6749 §5.1).
pub fn mint(app: &App, approved: Approved<'_>) -> Result<TokenResponse, Failure> {
    let audience = approved.audience;
    let resource = app.directory.resource(audience);
    let resource = resource.ok_or_else(|| Failure::broken("the token's audience is no longer configured"))?;
    let algorithm = resource.signing(approved.client.access_token_signing);
    let expires_in = life(app, &approved);
    let claims = claims(app, approved, expires_in)?;
    let token = match &resource.shared {
        Some(shared) => shared.signer.sign(&claims),
        None => {
            let signer = app.keys.signer(algorithm).ok_or_else(|| {
                // Revoked a moment ago: the next round of key keeping brings another.
                tracing::error!(algorithm = algorithm.name(), "there is no active signing key");
                overloaded(1)
            })?;
            signer.sign(&claims)
        }
    };
    let token = token.map_err(Failure::broken)?;
    // Without its signature, which is as long as its algorithm makes it.
    let bytes = token.rfind('.').unwrap_or_default();
    if bytes > MAX_BYTES {
        return Err(Failure::broken(format!(
            "an access token for {audience} would say {bytes} bytes; 4 KiB is the most"
        )));
    }
    if bytes > WARN_BYTES {
        tracing::warn!(bytes, %audience, "an access token is larger than 2 KiB: fewer roles or claims would serve every request");
    }
    Ok(TokenResponse {
        access_token: token,
        token_type: token_type(claims.cnf.as_ref()).to_owned(),
        expires_in,
        scope: claims.scope,
        refresh_token: None,
        id_token: None,
        issued_token_type: None,
    })
}

/// Seconds.
fn life(app: &App, approved: &Approved<'_>) -> u64 {
    let own = approved.client.access_ttl.as_seconds();
    let ends_by = approved.ends_by;
    ends_by.map_or(own, |end| own.min(end.saturating_sub(app.now_seconds())))
}

fn claims(app: &App, approved: Approved<'_>, expires_in: u64) -> Result<AccessTokenClaims, Failure> {
    let now = app.now_seconds();
    let mut jti = [0; 16];
    primitive::fill_name(&mut jti).map_err(Failure::broken)?;
    let claims = AccessTokenClaims {
        iss: app.config.issuer.as_str().to_owned(),
        sub: String::new(),
        aud: Audience::One(approved.audience.to_owned()),
        exp: now.saturating_add(expires_in),
        nbf: Some(now),
        iat: now,
        jti: base64url::encode(&jti),
        client_id: approved.client.id.clone(),
        scope: approved.scope,
        auth_time: None,
        acr: None,
        sid: None,
        fam: None,
        cnf: approved.jkt.map(Confirmation::of_key),
        act: approved.act,
        roles: Vec::new(),
        permissions: Vec::new(),
        extra: BTreeMap::new(),
    };
    Ok(match approved.subject {
        Subject::Client => AccessTokenClaims {
            sub: approved.client.id.clone(),
            ..claims
        },
        Subject::User(login) => AccessTokenClaims {
            sub: login.user.sub.clone(),
            auth_time: login.auth_time.and_then(|at| u64::try_from(at / 1000).ok()),
            // What an API can ask for by a challenge it finds in the token (RFC 9470 §5).
            acr: login.auth_time.map(|_| PASSWORD_ACR.to_owned()),
            sid: Some(login.family.sid.clone()),
            fam: Some(login.family.fam.clone()),
            extra: extra(&app.config.tokens.claims, login.user, &login.access),
            roles: login.access.roles,
            permissions: login.access.permissions,
            ..claims
        },
    })
}

/// The mapped claims. What decides about access comes from roles alone, whatever a user's attributes say.
fn extra(mapping: &BTreeMap<String, ClaimSource>, user: &User, access: &Access) -> BTreeMap<String, Value> {
    if mapping.is_empty() {
        return BTreeMap::new();
    }
    let attributes: Value = serde_json::from_str(&user.attributes).unwrap_or_default();
    let value = |source: &ClaimSource| match source {
        ClaimSource::Email => Some(Value::from(user.email.clone())),
        ClaimSource::EmailVerified => Some(Value::from(user.email_verified)),
        ClaimSource::Name => user.name.clone().map(Value::from),
        ClaimSource::Role => access.roles.first().cloned().map(Value::from),
        ClaimSource::Attribute(name) => attributes.get(name).cloned(),
    };
    let allowed = |name: &str, source: &ClaimSource| match source {
        ClaimSource::Role => name == "role" || !RESERVED_CLAIMS.contains(&name),
        ClaimSource::EmailVerified => name == "email_verified" || !RESERVED_CLAIMS.contains(&name),
        _ => !RESERVED_CLAIMS.contains(&name),
    };
    let mapped = mapping.iter().filter(|(name, source)| allowed(name, source));
    mapped
        .filter_map(|(name, source)| Some((name.clone(), value(source)?)))
        .collect()
}
