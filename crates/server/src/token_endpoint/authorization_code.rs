//! Authorization code: what the browser brought back, for tokens. A code is spent by the first attempt, right or wrong.
//!
//! Spec: RFC 6749 §4.1.3 · RFC 7636 §4.6 · OAuth 2.1 §4.1.3 · OpenID Connect Core §3.1.3 · RFC 9449 §5, §10

use carnet_oauth::error_code::ErrorCode;
use carnet_oauth::grant_type::GrantType;
use carnet_oauth::pkce::Challenge;
use carnet_oauth::token_response::TokenResponse;
use carnet_store::{
    AuditAction, BrowserLogin, Family, NewLogin, Reason, Redeemed, TicketKind, Tie, User, UserState,
};

use super::request::TokenRequest;
use crate::http::failure::{Because as _, Failure};
use crate::token::asked::{self, Asked};
use crate::token::code::{self, AuthorizationCode};
use crate::token::granted::Granted;
use crate::token::login;
use crate::token::refresh;

pub(super) async fn exchange(request: &TokenRequest<'_>) -> Result<TokenResponse, Failure> {
    let TokenRequest { app, client, .. } = request;
    let presented = request.form.required("code")?;
    let name = code::ticket(&client.id, presented);
    let code = redeem(request, &name).await?;
    // The registration has changed since: whoever was disabled begins anew.
    if code.client_changed_at != client.changed_at {
        return Err(refuse("the client has changed since the code was made"));
    }
    check_redirect_uri(request, &code)?;
    check_verifier(request, &code)?;
    check_key(request, &code)?;
    // RFC 8707 §2.2: no more than the code was made for.
    let audience = request.audience(std::slice::from_ref(&code.audience))?;
    if !client.audiences.iter().any(|known| known == audience) {
        return Err(refuse("the client may no longer ask for this resource"));
    }
    let user = app.store.user_by_sub(&code.sub).await?;
    let user = user.filter(|user| user.state == UserState::Active);
    let user = user.ok_or_else(|| refuse("the user of the code is not active any more"))?;
    let family = begin(request, &code, (&user, &name)).await?;
    let granted = Granted {
        user: &user,
        client,
        family: &family,
        scope: code.scope.intersection(&client.scope),
        auth_time: code.auth_time,
        jkt: request.jkt,
    };
    let asked = Asked {
        nonce: code.nonce.as_deref(),
        claims: Some(&code.claims),
    };
    let mut answer = login::mint(app, granted, Some(asked)).await?;
    if client.may(GrantType::RefreshToken) {
        answer.refresh_token = Some(refresh::write(app, &family)?);
    }
    Ok(answer)
}

async fn redeem(request: &TokenRequest<'_>, name: &str) -> Result<AuthorizationCode, Failure> {
    let app = request.app;
    match app.store.redeem_ticket(TicketKind::Code, name, app.now()).await? {
        Redeemed::Fresh(payload) => AuthorizationCode::read(&payload),
        Redeemed::Again(bought) => {
            // §4.1.2: a code seen twice takes down the tokens that it bought.
            if let Some(fam) = bought {
                let id = &request.client.id;
                let audit = request
                    .caller
                    .was_refused(id, AuditAction::Revoke, &fam, "code_reused");
                app.store
                    .revoke_family(&fam, &app.cut(Reason::Reuse, audit))
                    .await?;
                tracing::warn!(client_id = %id, %fam, "an authorization code came twice: the tokens of the first time are revoked");
            }
            Err(refuse("the code was redeemed before"))
        }
        Redeemed::Unknown => Err(refuse("there is no such code for this client, or it has expired")),
    }
}

/// RFC 6749 §4.1.3 demands it; with PKCE it may be left out (OAuth 2.1 §10.2), but never differ.
fn check_redirect_uri(request: &TokenRequest<'_>, code: &AuthorizationCode) -> Result<(), Failure> {
    match request.form.optional("redirect_uri") {
        Some(uri) if uri == code.redirect_uri => Ok(()),
        None if code.challenge.is_some() || !code.redirect_uri_was_sent => Ok(()),
        _ => Err(refuse("redirect_uri differs from the authorization request")),
    }
}

/// Both or neither: a verifier without a challenge is a downgrade (OAuth 2.1 §4.1.3).
fn check_verifier(request: &TokenRequest<'_>, code: &AuthorizationCode) -> Result<(), Failure> {
    let challenge = code.challenge.as_deref().map(Challenge::parse);
    let right = match (challenge, request.form.optional("code_verifier")) {
        (Some(Some(challenge)), Some(verifier)) => challenge.matches(verifier),
        (None, None) => true,
        _ => false,
    };
    if right {
        Ok(())
    } else {
        Err(refuse("code_verifier does not match the code_challenge"))
    }
}

/// RFC 9449 §10: a code that was asked for with `dpop_jkt` is redeemed with a proof of that key.
fn check_key(request: &TokenRequest<'_>, code: &AuthorizationCode) -> Result<(), Failure> {
    match &code.jkt {
        Some(jkt) if request.jkt != Some(jkt.as_str()) => Err(refuse(
            "the code is bound to another key than the DPoP proof has (dpop_jkt)",
        )),
        _ => Ok(()),
    }
}

/// Session and family, in one transaction that also sees whether the code came twice and whether the browser has logged out.
async fn begin(
    request: &TokenRequest<'_>,
    code: &AuthorizationCode,
    (user, name): (&User, &str),
) -> Result<Family, Failure> {
    let TokenRequest {
        app, caller, client, ..
    } = request;
    let new = NewLogin {
        user: user.id,
        password_changed_at: None,
        client_id: client.id.clone(),
        scope: code.scope.to_string(),
        audience: code.audience.clone(),
        browser: Some(BrowserLogin {
            sid: code.browser_sid.clone(),
            auth_time: code.auth_time,
            allowed_at: code.allowed_at,
            tie: match code.scope.contains("offline_access") {
                true => Tie::HearsOfIt,
                false => Tie::EndsWithIt,
            },
        }),
        claims: asked::write(&code.claims)?,
        code: Some(name.to_owned()),
        address: caller.address.to_string(),
        user_agent: caller.user_agent.clone(),
        mac_key: app.master.current().to_owned(),
        jkt: request.key_of_refresh_tokens().map(str::to_owned),
        idle_ms: app.config.tokens.refresh_idle.millis(),
        absolute_ms: app.config.tokens.refresh_absolute.millis(),
        throttle_keys_to_clear: Vec::new(),
        audit: caller.did(&user.sub, AuditAction::Login, &client.id),
    };
    let begun = app.store.begin_session(&new, app.now()).await?;
    begun.ok_or_else(|| refuse("the login that the code stands for has ended"))
}

fn refuse(reason: &'static str) -> Failure {
    ErrorCode::InvalidGrant.because(reason).into()
}
