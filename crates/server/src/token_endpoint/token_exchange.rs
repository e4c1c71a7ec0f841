//! Token exchange: an API that a user has called asks for a token to call the next one with, for the same user and in its own name.
//!
//! Spec: RFC 8693 §2 · RFC 9068 §2.2 · RFC 9449 §5

use carnet_oauth::access_token::{AccessTokenClaims, Actor};
use carnet_oauth::error_code::ErrorCode;
use carnet_oauth::scope::{OPENID_SCOPES, ScopeSet};
use carnet_oauth::token_exchange::{ACCESS_TOKEN, JWT};
use carnet_oauth::token_response::TokenResponse;
use carnet_store::User;

use super::consented;
use super::request::TokenRequest;
use crate::client::Client;
use crate::http::failure::{Because as _, Failure};
use crate::token::access::{self, Approved, Login, Subject};
use crate::token::bearer::{self, Presented};
use crate::wanted;

/// So many act one after the other; a chain that is longer is most likely a circle.
const MOST_ACTORS: usize = 8;

/// An access token alone, that lives no longer and may do no more than the one that was shown.
pub(super) async fn exchange(request: &TokenRequest<'_>) -> Result<TokenResponse, Failure> {
    let TokenRequest { app, client, .. } = request;
    check_kinds(request)?;
    let Presented { claims, user } = subject(request).await?;
    request.check_second(&user.sub).await?;
    let audience = audience(request)?;
    let most = most_there(request, (&claims, &user), audience).await?;
    let scope = request.scope(most)?;
    let act = Actor::named(&client.id, claims.act.clone());
    if act.chain().count() > MOST_ACTORS {
        return Err(refuse("too many clients act one after the other"));
    }
    // What ends the login ends this token too: it has the session and the family of the one that was shown.
    let fam = claims.fam.as_deref().unwrap_or_default();
    let record = app.store.family(fam).await?;
    let record = record.filter(|record| record.family.revoked_at.is_none());
    let record = record.ok_or_else(|| refuse("no login stands behind the subject_token"))?;
    let answer = access::mint(
        app,
        Approved {
            subject: Subject::User(Login {
                access: app.store.access_of(user.id, audience).await?,
                user: &user,
                family: &record.family,
                // As the token says that was shown: behind an assertion of another issuer nobody has logged in here.
                auth_time: auth_time(&claims),
            }),
            client,
            audience,
            scope,
            jkt: request.jkt,
            act: Some(act),
            ends_by: Some(claims.exp),
        },
    )?;
    tracing::info!(client_id = %client.id, sub = %user.sub, from = %claims.client_id, %audience, "a token was exchanged");
    Ok(TokenResponse {
        issued_token_type: Some(ACCESS_TOKEN.to_owned()),
        ..answer
    })
}

/// §2.1: of the kinds of token we exchange one, and make one.
fn check_kinds(request: &TokenRequest<'_>) -> Result<(), Failure> {
    if request.form.required("subject_token_type")? != ACCESS_TOKEN {
        return Err(refuse("the one subject_token_type is access_token"));
    }
    if request
        .form
        .optional("requested_token_type")
        .is_some_and(|kind| kind != ACCESS_TOKEN && kind != JWT)
    {
        return Err(refuse("the one requested_token_type is access_token"));
    }
    let (actor, kind) = ("actor_token", "actor_token_type");
    match (request.form.optional(actor), request.form.optional(kind)) {
        // §1.1: who acts has proven it: the client itself.
        (Some(_), _) => Err(refuse(
            "actor_token is not read: the client that asks is the actor",
        )),
        (None, Some(_)) => Err(refuse(
            "actor_token_type comes with an actor_token, or not at all",
        )),
        (None, None) => Ok(()),
    }
}

/// TK-13: a token of ours that lives, of a user, in the hands of somebody whom it concerns.
async fn subject(request: &TokenRequest<'_>) -> Result<Presented, Failure> {
    let TokenRequest { app, client, .. } = request;
    let token = request.form.required("subject_token")?;
    let Ok(presented) = bearer::check_bound(app, token).await? else {
        return Err(refuse(
            "the subject_token is no access token of a user that may be used now",
        ));
    };
    let claims = &presented.claims;
    let is_own = claims.client_id == client.id;
    let has_received = has_received(client, claims);
    if !is_own && !has_received {
        return Err(refuse(
            "the subject_token was neither issued to the client nor meant for it",
        ));
    }
    // Whoever has a copy of the client's own token alone must not wash the key off it.
    if is_own && !has_received && !is_proven(claims, request.jkt) {
        return Err(refuse(
            "the subject_token is bound to another key than the DPoP proof has",
        ));
    }
    Ok(presented)
}

/// Whether the token was meant for an API that the client is.
fn has_received(client: &Client, claims: &AccessTokenClaims) -> bool {
    let mut own = client.exchange_audiences.iter();
    own.any(|audience| claims.aud.contains(audience))
}

/// What of the token's scope the client may have there. An API that was called calls whom the operator lets it. With a token of its own the client was
/// not called: it goes where the user has let it go.
async fn most_there(
    request: &TokenRequest<'_>,
    (claims, user): (&AccessTokenClaims, &User),
    audience: &str,
) -> Result<ScopeSet, Failure> {
    let client = request.client;
    let shown = claims.scope.intersection(&client.scope).without(OPENID_SCOPES);
    if has_received(client, claims) || claims.aud.contains(audience) {
        return Ok(shown);
    }
    match consented::scope(request, user, audience).await? {
        Some(consented) => Ok(wanted::narrowed(&shown, &consented)?),
        None => Err(ErrorCode::InvalidTarget
            .because("no consent of the user for this resource is remembered")
            .into()),
    }
}

fn auth_time(claims: &AccessTokenClaims) -> Option<i64> {
    let seconds = i64::try_from(claims.auth_time?).ok()?;
    seconds.checked_mul(1_000)
}

fn is_proven(claims: &AccessTokenClaims, jkt: Option<&str>) -> bool {
    claims.cnf.as_ref().is_none_or(|bound_to| {
        bound_to
            .thumbprint()
            .is_some_and(|thumbprint| jkt == Some(thumbprint))
    })
}

/// §2.1: `audience` names an API as `resource` does (RFC 8707). One token is for one.
fn audience<'r>(request: &'r TokenRequest<'_>) -> Result<&'r str, Failure> {
    let allowed = &request.client.audiences;
    match (request.form.optional("audience"), request.form.resource()?) {
        (Some(audience), Some(resource)) if audience != resource => Err(ErrorCode::InvalidTarget
            .because("audience and resource differ: one token is for one")
            .into()),
        (Some(asked), _) => {
            let known = allowed.iter().find(|audience| *audience == asked);
            known.map(String::as_str).ok_or_else(|| {
                let reason = "the client may not ask for this audience";
                ErrorCode::InvalidTarget.because(reason).into()
            })
        }
        (None, _) => request.audience(allowed),
    }
}

/// §2.2.2: whatever is wrong with the tokens is an invalid request.
fn refuse(reason: &'static str) -> Failure {
    ErrorCode::InvalidRequest.because(reason).into()
}
