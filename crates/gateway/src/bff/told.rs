//! What the app may know of its user and the login: what the ID token of the login says, and after each refresh what comes in its place.
//!
//! Spec: OpenID Connect Core §3.1.3.7, §12.2

use carnet_client::login_check::Unfit;
use carnet_oauth::id_token::IdTokenClaims;
use serde_json::{Map, Value, json};

use super::app::Bff;
use super::session::{Session, Told};

/// Of a login that was good.
pub(super) fn at_login(mut claims: IdTokenClaims) -> Told {
    let nonce = claims.nonce.take();
    Told {
        claims: told(claims),
        nonce,
    }
}

/// Of a refresh: what is told from now on; `None` when nothing new is told.
///
/// # Errors
/// The tokens are another login's: why, for the log.
pub(super) async fn again(
    bff: &Bff,
    session: &Session,
    id_token: Option<&str>,
) -> Result<Option<Map<String, Value>>, &'static str> {
    let Some(id_token) = id_token else {
        return Ok(None);
    };
    let (before, nonce) = (&session.content.claims, session.content.nonce.as_deref());
    let of = (session.row.sub.as_str(), nonce);
    match bff.parts.login.check_again(id_token, of, bff.now()).await {
        Ok(claims) => Ok(Some(told_again(claims, before))),
        Err(Unfit::Foreign(why)) => Err(why),
        Err(Unfit::Unbelievable(why)) => {
            tracing::error!(
                why,
                "an ID token that came with a refresh says nothing: what was told before goes on"
            );
            Ok(None)
        }
    }
}

/// The user as they are now. What is said of the login itself, once, goes on.
fn told_again(claims: IdTokenClaims, before: &Map<String, Value>) -> Map<String, Value> {
    let mut told = told(claims);
    // By no other name does the issuer end this session.
    told.remove("sid");
    for of_the_login in ["acr", "amr", "sid"] {
        if let (false, Some(value)) = (told.contains_key(of_the_login), before.get(of_the_login)) {
            told.insert(of_the_login.to_owned(), value.clone());
        }
    }
    // §12.2: the time of the login, whatever is said with the refresh.
    if let Some(at) = before.get("auth_time") {
        told.insert("auth_time".to_owned(), at.clone());
    }
    told
}

/// Of the user and the login, and nothing that is for us alone.
fn told(claims: IdTokenClaims) -> Map<String, Value> {
    let mut told: Map<String, Value> = claims.user.into_iter().collect();
    for ours in ["azp", "c_hash", "s_hash", "nbf", "jti"] {
        told.remove(ours);
    }
    told.insert("sub".to_owned(), json!(claims.sub));
    let further = [
        ("sid", claims.sid.map(Value::from)),
        ("auth_time", claims.auth_time.map(Value::from)),
        ("acr", claims.acr.map(Value::from)),
        ("amr", (!claims.amr.is_empty()).then(|| json!(claims.amr))),
    ];
    let further = further
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    told.extend(further);
    told
}
