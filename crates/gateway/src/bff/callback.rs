//! `callback`: the issuer's answer, when it fits the login that this browser began.
//!
//! Spec: RFC 6749 §4.1.2, §4.1.3 · RFC 9207 §2.4 · OpenID Connect Core §3.1.3.7

use axum::response::Response;
use carnet_client::authorize::Authorization;
use carnet_client::error::ClientError;
use carnet_oauth::id_token::IdTokenClaims;
use http::{StatusCode, header};
use serde_json::{Map, Value, json};

use super::app::{Asked, Bff};
use super::login::{self, Begun};
use super::session::Content;
use super::{loop_breaker, page};
use crate::refusal::Refusal;

/// Why a login does not come to its end.
enum Unfinished {
    /// This browser began no such login, or too long ago; or the answer is another server's.
    Foreign,
    /// The issuer says no.
    Refused(String),
    /// Its answer cannot be used. What is wrong stands in the log.
    Unusable,
    /// Nothing can be said at the moment.
    Down(Refusal),
}

pub(super) async fn end(bff: &Bff, asked: &Asked) -> Result<Response, Refusal> {
    let state = asked.parameter("state").unwrap_or_default();
    let Some(begun) = login::find(bff, &asked.head.headers, state) else {
        return sorry(bff, Unfinished::Foreign);
    };
    let mut response = match logged_in(bff, &begun, asked).await {
        Ok(response) => response,
        // The app asked whether somebody is logged in at the issuer; the answer is its own to find.
        Err(Unfinished::Refused(_)) if begun.silent => page::go_on(&begun.return_to),
        Err(unfinished) => sorry(bff, unfinished)?,
    };
    // A code is tried once, and so is what belongs to it.
    let spent = login::forgotten(bff, state);
    response
        .headers_mut()
        .extend(spent.map(|line| (header::SET_COOKIE, line)));
    Ok(response)
}

async fn logged_in(bff: &Bff, begun: &Begun, asked: &Asked) -> Result<Response, Unfinished> {
    let client = bff.parts.provider.client().await;
    let client = client.map_err(|error| unfinished(&error))?;
    let authorization = Authorization::resume(&client, (&begun.state, &begun.nonce, &begun.verifier));
    let query = asked.head.uri.query().unwrap_or_default();
    let code = authorization.code(query).ok_or(Unfinished::Foreign)?;
    let code = code.map_err(|error| unfinished(&error))?;
    let tokens = client.redeem(&code, &bff.url("callback"), &begun.verifier).await;
    let tokens = tokens.map_err(|error| unfinished(&error))?;
    let now = bff.now();
    let checked = match &tokens.id_token {
        Some(id_token) => bff.parts.login.check(id_token, &begun.nonce, now).await,
        None => Err("there is no ID token"),
    };
    let claims = checked.map_err(|why| {
        tracing::error!(why, "a login cannot be used");
        Unfinished::Unusable
    })?;
    let sid = claims.sid.clone().unwrap_or_default();
    let (sub, skew) = (claims.sub.clone(), claims.iat.abs_diff(now));
    let content = Content::new(&tokens, told(claims), now);
    // CK-02: always another one than the browser had, and no word of it before the login was good.
    let headers = &asked.head.headers;
    let secret = bff.keep(&content, (&sub, &sid), headers).await;
    let secret = secret.map_err(Unfinished::Down)?;
    let mut response = page::go_on(&begun.return_to);
    let lines = [
        bff.cookie_of(&secret),
        loop_breaker::note(bff, headers, (&secret.digest, skew)),
    ];
    let lines = lines.into_iter().flatten().map(|line| (header::SET_COOKIE, line));
    response.headers_mut().extend(lines);
    Ok(response)
}

/// What the app may know: of the user and the login, and nothing that is for us alone.
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

fn unfinished(error: &ClientError) -> Unfinished {
    match error {
        ClientError::Refused(code, _) => {
            tracing::info!(%error, "the issuer refused a login");
            Unfinished::Refused(code.clone())
        }
        ClientError::Unreachable(_) | ClientError::Status(..) => Unfinished::Down(login::down(error)),
        error => {
            tracing::error!(%error, "a login cannot be used");
            Unfinished::Unusable
        }
    }
}

fn sorry(bff: &Bff, unfinished: Unfinished) -> Result<Response, Refusal> {
    let (status, text) = match unfinished {
        Unfinished::Foreign => (
            StatusCode::BAD_REQUEST,
            "This login was not begun in this browser, or too long ago.",
        ),
        Unfinished::Refused(code) if code == "access_denied" => (
            StatusCode::FORBIDDEN,
            "You are not logged in: the login was not allowed.",
        ),
        Unfinished::Refused(_) => (
            StatusCode::BAD_REQUEST,
            "You are not logged in: the login was refused.",
        ),
        Unfinished::Unusable => (
            StatusCode::BAD_GATEWAY,
            "You are not logged in: this app cannot use the answer that came. Its operator finds out why in its log.",
        ),
        Unfinished::Down(refusal) => return Err(refusal),
    };
    Ok(page::page(status, &[text], (&bff.path("login"), "Log in")))
}
