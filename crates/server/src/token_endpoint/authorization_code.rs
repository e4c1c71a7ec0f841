//! Authorization code: what the browser brought back, for tokens. A code is spent by the first attempt, right or wrong.
//!
//! Spec: RFC 6749 §4.1.3 · RFC 7636 §4.6 · OAuth 2.1 §4.1.3 · OpenID Connect Core §3.1.3 · RFC 9449 §5, §10

use carnet_oauth::pkce::Challenge;
use carnet_oauth::token_response::TokenResponse;
use carnet_store::{AuditAction, BrowserLogin, Reason, Redeemed, TicketKind, Tie};

use super::allowed::{Allowed, refuse};
use super::request::TokenRequest;
use crate::http::failure::Failure;
use crate::token::code::{self, AuthorizationCode};

pub(super) async fn exchange(request: &TokenRequest<'_>) -> Result<TokenResponse, Failure> {
    let presented = request.form.required("code")?;
    let name = code::ticket(&request.client.id, presented);
    let code = redeem(request, &name).await?;
    check_redirect_uri(request, &code)?;
    check_verifier(request, &code)?;
    check_key(request, &code)?;
    let allowed = Allowed {
        client_changed_at: code.client_changed_at,
        sub: &code.sub,
        scope: &code.scope,
        audience: &code.audience,
        browser: BrowserLogin {
            sid: code.browser_sid.clone(),
            auth_time: code.auth_time,
            allowed_at: code.allowed_at,
            absolute_ms: request.app.config.tokens.refresh_absolute.millis(),
            tie: match code.scope.contains("offline_access") {
                true => Tie::HearsOfIt,
                false => Tie::EndsWithIt,
            },
        },
        code: Some(&name),
        nonce: code.nonce.as_deref(),
        claims: &code.claims,
    };
    allowed.tokens(request).await
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
