//! What a person has allowed at our pages, for tokens: what a code and a device code have in common.
//!
//! Spec: RFC 6749 §4.1.3, §5.1 · RFC 8628 §3.5 · RFC 8707 §2.2 · OpenID Connect Core §3.1.3.3

use carnet_oauth::claims_request::ClaimsRequest;
use carnet_oauth::error_code::ErrorCode;
use carnet_oauth::grant_type::GrantType;
use carnet_oauth::scope::ScopeSet;
use carnet_oauth::token_response::TokenResponse;
use carnet_store::{AuditAction, BrowserLogin, Family, NewLogin, User, UserState};

use super::request::TokenRequest;
use crate::http::failure::{Because as _, Failure};
use crate::token::asked::{self, Asked};
use crate::token::granted::Granted;
use crate::token::{login, refresh};

/// What was allowed.
pub(super) struct Allowed<'a> {
    /// When the client had last changed by then.
    pub(super) client_changed_at: i64,
    /// By whom.
    pub(super) sub: &'a str,
    /// For what.
    pub(super) scope: &'a ScopeSet,
    /// For which resource.
    pub(super) audience: &'a String,
    /// In which login.
    pub(super) browser: BrowserLogin,
    /// The name of the code that leads here, when there is one that could come twice.
    pub(super) code: Option<&'a str>,
    /// For the ID token.
    pub(super) nonce: Option<&'a str>,
    /// The single claims that were asked for.
    pub(super) claims: &'a ClaimsRequest,
}

impl Allowed<'_> {
    /// The tokens, if everybody still is who they were.
    pub(super) async fn tokens(self, request: &TokenRequest<'_>) -> Result<TokenResponse, Failure> {
        let TokenRequest { app, client, .. } = request;
        // The registration has changed since: whoever was disabled begins anew.
        if self.client_changed_at != client.changed_at {
            return Err(refuse("the client has changed since it was allowed"));
        }
        // RFC 8707 §2.2: no more than was allowed.
        let audience = request.audience(std::slice::from_ref(self.audience))?;
        if !client.audiences.iter().any(|known| known == audience) {
            return Err(refuse("the client may no longer ask for this resource"));
        }
        let user = app.store.user_by_sub(self.sub).await?;
        let user = user.filter(|user| user.state == UserState::Active);
        let user = user.ok_or_else(|| refuse("the user who allowed it is not active any more"))?;
        let family = self.begin(request, &user).await?;
        let granted = Granted {
            user: &user,
            client,
            family: &family,
            scope: self.scope.intersection(&client.scope),
            auth_time: self.browser.auth_time,
            jkt: request.jkt,
        };
        let asked = Asked {
            nonce: self.nonce,
            claims: Some(self.claims),
        };
        let access = app.store.access_of(user.id, &family.audience).await?;
        let mut answer = login::mint(app, granted, access, Some(asked))?;
        if client.may(GrantType::RefreshToken) {
            answer.refresh_token = Some(refresh::write(app, &family)?);
        }
        Ok(answer)
    }

    /// Session and family, in one transaction that also sees whether the code came twice and whether the login still stands.
    async fn begin(&self, request: &TokenRequest<'_>, user: &User) -> Result<Family, Failure> {
        let TokenRequest {
            app, caller, client, ..
        } = request;
        let new = NewLogin {
            user: user.id,
            password_changed_at: None,
            client_id: client.id.clone(),
            scope: self.scope.to_string(),
            audience: self.audience.clone(),
            browser: Some(self.browser.clone()),
            claims: asked::write(self.claims)?,
            code: self.code.map(str::to_owned),
            address: caller.address.to_string(),
            user_agent: caller.user_agent.clone(),
            mac_key: app.master.current().to_owned(),
            jkt: request.key_of_refresh_tokens().map(str::to_owned),
            idle_ms: client.refresh_idle.millis(),
            absolute_ms: client.refresh_absolute.millis(),
            throttle_keys_to_clear: Vec::new(),
            audit: caller.did(&user.sub, AuditAction::Login, &client.id),
        };
        let begun = app.store.begin_session(&new, app.now()).await?;
        begun.ok_or_else(|| {
            refuse(match self.code {
                Some(_) => "the code came twice, the login in which it was allowed has ended, or what the user had allowed was taken back",
                None => "the login in which it was allowed has ended, or what the user had allowed was taken back",
            })
        })
    }
}

pub(super) fn refuse(reason: &'static str) -> Failure {
    ErrorCode::InvalidGrant.because(reason).into()
}
