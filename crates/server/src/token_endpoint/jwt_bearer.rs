//! JWT bearer: a token for an assertion, of the client itself or of an issuer that the operator trusts, about a user.
//!
//! Spec: RFC 7521 §4.1 · RFC 7523 §2.1, §3, §3.1

use std::sync::Arc;

use carnet_jose::dangerous;
use carnet_oauth::client_auth::AssertionClaims;
use carnet_oauth::grant_type::GrantType;
use carnet_oauth::scope::{OPENID_SCOPES, ScopeSet};
use carnet_oauth::token_response::TokenResponse;
use carnet_store::{AuditAction, Family, NewLogin, Reason, TicketKind, User, UserState};
use http::HeaderMap;

use super::allowed::refuse;
use super::client_credentials;
use super::consented;
use super::request::TokenRequest;
use crate::app::App;
use crate::audit::Caller;
use crate::client::{Client, Proof};
use crate::client_auth;
use crate::config::SubjectIs;
use crate::email::Email;
use crate::http::failure::{Failure, overloaded};
use crate::http::form::Form;
use crate::token::access::{self, Approved, Login, Subject};
use crate::trusted_issuer::TrustedIssuer;
use crate::wanted;

/// What is wrong in detail is for the log: it would help whoever forges one.
const INVALID: &str = "the assertion is not valid here, was used before, or is not for this client";
/// The same for somebody unknown, disabled, or without a verified address.
const NOBODY: &str = "the assertion is about nobody for whom the client may act";

/// Whether the assertion is all that says who asks. RFC 7521 §4.1 lets it be: a client's own one proves as much as a second would.
pub(super) fn is_alone(headers: &HeaderMap, form: &Form) -> bool {
    form.optional("grant_type") == Some(GrantType::JwtBearer.name())
        && !client_auth::is_offered(headers, form)
}

/// The client that has signed its own assertion. Nothing is spent yet.
pub(super) async fn client(app: &App, caller: &Caller, form: &Form) -> Result<Arc<Client>, Failure> {
    let assertion = form.required("assertion")?;
    let id = issuer_of(assertion).unwrap_or_default();
    // What another issuer says is of use to a client that has proven who it is. Public clients never have.
    if trusted(app, &id).is_some() {
        return Err(client_auth::refused().into());
    }
    let named = form.optional("client_id").is_none_or(|named| named == id);
    let client = app.client(&id).await?.filter(|_| named);
    let registered = client.as_ref().map(|client| client.auth_method);
    if let Some(client) = client
        && own(app, &client, assertion).await?.is_some()
    {
        return Ok(client);
    }
    client_auth::note(app, caller, &id, registered).await?;
    Err(refuse(INVALID))
}

/// A token for the client itself, or for the user whom a trusted issuer names.
pub(super) async fn grant(request: &TokenRequest<'_>) -> Result<TokenResponse, Failure> {
    let assertion = request.form.required("assertion")?;
    let issuer = issuer_of(assertion).unwrap_or_default();
    if issuer == request.client.id {
        return for_client(request, assertion).await;
    }
    let trusted = trusted(request.app, &issuer);
    let trusted = trusted.filter(|trusted| trusted.config.clients.contains(&request.client.id));
    match trusted {
        Some(trusted) => for_user(request, trusted, assertion).await,
        None => {
            tracing::info!(client_id = %request.client.id, iss = %issuer, "an assertion was refused: its issuer is not trusted for this client");
            Err(refuse(INVALID))
        }
    }
}

/// As with client_credentials: no user, no refresh token.
async fn for_client(request: &TokenRequest<'_>, assertion: &str) -> Result<TokenResponse, Failure> {
    let TokenRequest { app, client, .. } = request;
    let claims = own(app, client, assertion).await?;
    let claims = claims.ok_or_else(|| refuse(INVALID))?;
    // Before the assertion is spent: a wrong scope costs nobody another one.
    let answer = client_credentials::within(request, claims.scope.as_ref())?;
    if !client_auth::spend(app, client, &claims).await? {
        tracing::info!(client_id = %client.id, "an assertion was refused: it was used before");
        return Err(refuse(INVALID));
    }
    Ok(answer)
}

/// What the client's own assertion says, if its key has signed it for us.
async fn own(app: &App, client: &Client, assertion: &str) -> Result<Option<AssertionClaims>, Failure> {
    let Proof::Keys(verifiers) = &client.proof else {
        tracing::info!(client_id = %client.id, "an assertion was refused: the client has no keys");
        return Ok(None);
    };
    let now = app.now_seconds();
    let why = match verifiers.grant.verify(assertion, now).await {
        Ok(claims) => match client_auth::unfit(client, &claims, now) {
            Some(why) => why,
            None if is_of_another(client, &claims) => OF_ANOTHER,
            None => return Ok(Some(claims)),
        },
        // Nobody can say yet whether it is right.
        Err(carnet_jose::Error::KeysUnavailable) => return Err(overloaded(5)),
        Err(error) => error.code(),
    };
    tracing::info!(client_id = %client.id, why, "an assertion was refused");
    Ok(None)
}

/// A token that does no more than the user has let the client, and lives no longer than the assertion.
async fn for_user(
    request: &TokenRequest<'_>,
    trusted: &TrustedIssuer,
    assertion: &str,
) -> Result<TokenResponse, Failure> {
    let TokenRequest { app, client, .. } = request;
    let claims = believed(request, trusted, assertion).await?;
    let user = user(app, trusted, &claims).await?;
    request.check_second(&user.sub).await?;
    let audience = request.audience(&client.audiences)?;
    let most = consented_scope(request, &user, audience).await?;
    let scope = request.scope(match &claims.scope {
        Some(said) => wanted::narrowed(&most, said)?,
        None => most,
    })?;
    spend(app, trusted, &claims).await?;
    let family = begin(request, (&user, audience, &scope), claims.exp).await?;
    // Withdrawn while the session began.
    if let Err(withdrawn) = consented_scope(request, &user, audience).await {
        let audit = request
            .caller
            .was_refused(&client.id, AuditAction::Revoke, &family.fam, "invalid_grant");
        app.store
            .revoke_family(&family.fam, &app.cut(Reason::Revoked, audit))
            .await?;
        return Err(withdrawn);
    }
    let answer = access::mint(
        app,
        Approved {
            subject: Subject::User(Login {
                access: app.store.access_of(user.id, audience).await?,
                user: &user,
                family: &family,
                // To us the user has proven nothing now.
                auth_time: None,
            }),
            client,
            audience,
            scope,
            jkt: request.jkt,
            act: None,
            ends_by: Some(claims.exp),
        },
    )?;
    tracing::info!(client_id = %client.id, sub = %user.sub, iss = %claims.iss, %audience, "a token was granted for an assertion");
    Ok(answer)
}

/// What the assertion of a trusted issuer says, if it counts for this client.
async fn believed(
    request: &TokenRequest<'_>,
    trusted: &TrustedIssuer,
    assertion: &str,
) -> Result<AssertionClaims, Failure> {
    let (now, client) = (request.app.now_seconds(), request.client);
    let why = match trusted.assertions.verify(assertion, now).await {
        Ok(claims) => {
            let longest = trusted.config.longest_life.as_seconds();
            match claims.unfit(now, longest) {
                Some(why) => why,
                None if is_of_another(client, &claims) => OF_ANOTHER,
                // The clocks may differ; a token that lives no longer than this would be dead.
                None if claims.exp <= now => "it has expired",
                None => return Ok(claims),
            }
        }
        // Nobody can say yet whether it is right.
        Err(carnet_jose::Error::KeysUnavailable) => return Err(overloaded(5)),
        Err(error) => error.code(),
    };
    tracing::info!(client_id = %client.id, iss = %trusted.config.issuer, why, "an assertion was refused");
    Err(refuse(INVALID))
}

/// RFC 8693 §4.3 gives the name its meaning: the one client that may use it.
fn is_of_another(client: &Client, claims: &AssertionClaims) -> bool {
    claims.client_id.as_ref().is_some_and(|id| *id != client.id)
}

const OF_ANOTHER: &str = "client_id is another client";

/// The user whom the assertion is about, as long as they may log in.
async fn user(app: &App, trusted: &TrustedIssuer, claims: &AssertionClaims) -> Result<User, Failure> {
    let found = match trusted.config.subject {
        // No user is named so, and not every database can be asked.
        SubjectIs::Sub if claims.sub.contains('\0') => None,
        SubjectIs::Sub => app.store.user_by_sub(&claims.sub).await?,
        SubjectIs::Email => match Email::parse(&claims.sub) {
            Some(email) => app
                .store
                .find_login(&email.canonical)
                .await?
                .map(|known| known.user),
            None => None,
        },
    };
    // An address that anybody could have typed is nobody's.
    let proven = |user: &User| trusted.config.subject == SubjectIs::Sub || user.email_verified;
    let found = found.filter(|user| user.state == UserState::Active && proven(user));
    found.ok_or_else(|| {
        tracing::info!(iss = %claims.iss, "an assertion was refused: its sub is no active user, or one without a verified address");
        refuse(NOBODY)
    })
}

/// Scopes that the user has let the client have. Nothing about the person: nobody has logged in.
async fn consented_scope(
    request: &TokenRequest<'_>,
    user: &User,
    audience: &str,
) -> Result<ScopeSet, Failure> {
    let consented = consented::scope(request, user, audience).await?;
    let consented = consented.ok_or_else(|| refuse(NOBODY))?;
    let own = request.client.scope.without(OPENID_SCOPES);
    Ok(wanted::narrowed(&own, &consented)?)
}

/// RFC 7523 §3, item 7: it counts once, on all nodes together.
async fn spend(app: &App, trusted: &TrustedIssuer, claims: &AssertionClaims) -> Result<(), Failure> {
    let name = format!("{}\0{}", claims.iss, claims.jti);
    let until = i64::try_from(claims.remembered_until().saturating_mul(1000)).unwrap_or(i64::MAX);
    let fresh = app
        .store
        .keep_ticket(TicketKind::IssuerAssertion, &name, "", until)
        .await?;
    if !fresh {
        tracing::info!(iss = %trusted.config.issuer, "an assertion was refused: it was used before");
        return Err(refuse(INVALID));
    }
    Ok(())
}

/// A session that lives as long as its one token, so that whatever ends the user's sessions ends the token too.
async fn begin(
    request: &TokenRequest<'_>,
    (user, audience, scope): (&User, &str, &ScopeSet),
    ends_by: u64,
) -> Result<Family, Failure> {
    let TokenRequest {
        app, caller, client, ..
    } = request;
    let left = ends_by.saturating_sub(app.now_seconds());
    let life = client.access_ttl.as_seconds().min(left).saturating_mul(1_000);
    let life_ms = i64::try_from(life).unwrap_or(i64::MAX);
    let new = NewLogin {
        user: user.id,
        password_changed_at: None,
        client_id: client.id.clone(),
        scope: scope.to_string(),
        audience: audience.to_owned(),
        browser: None,
        claims: None,
        code: None,
        address: caller.address.to_string(),
        user_agent: caller.user_agent.clone(),
        mac_key: app.master.current().to_owned(),
        jkt: None,
        idle_ms: life_ms,
        absolute_ms: life_ms,
        throttle_keys_to_clear: Vec::new(),
        audit: caller.did(&user.sub, AuditAction::Login, &client.id),
    };
    let begun = app.store.begin_session(&new, app.now()).await?;
    begun.ok_or_else(|| refuse(NOBODY))
}

fn trusted<'a>(app: &'a App, issuer: &str) -> Option<&'a TrustedIssuer> {
    app.trusted_issuers
        .iter()
        .find(|trusted| trusted.config.issuer == issuer)
}

/// Who says to have signed it; believed only when the keys of that issuer say so too.
fn issuer_of(assertion: &str) -> Option<String> {
    let decoded = dangerous::decode(assertion).ok()?;
    decoded.payload.get("iss")?.as_str().map(str::to_owned)
}
