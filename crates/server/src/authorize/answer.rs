//! The next step of a request that may be answered, and its answer.
//!
//! Spec: RFC 6749 §4.1.2 · OpenID Connect Core §3.1.2.5, §3.1.2.6 · RFC 8252 §8.6 · RFC 9126 §4, §7.3 (one answer)

use axum::response::Response;
use carnet_oauth::client_auth::AuthMethod;
use carnet_oauth::error_code::ErrorCode;
use carnet_store::{BrowserSession, GrantKey};

use super::implicit;
use super::par;
use super::parameters::Parameters;
use super::prompt::{Situation, Step};
use super::request::{AuthorizationRequest, Objection};
use super::return_address::ReturnAddress;
use crate::app::App;
use crate::audit::Caller;
use crate::browser::Browser;
use crate::config::Consent;
use crate::http::failure::{Because as _, Failure};
use crate::http::page::see_other;
use crate::interaction::{About, Interaction, Kept};
use crate::throttle::Attempt;
use crate::token::code::AuthorizationCode;

/// Somebody at the front door.
pub(super) struct Visit<'a> {
    pub(super) app: &'a App,
    pub(super) caller: &'a Caller,
    pub(super) browser: &'a Browser,
    pub(super) request: &'a AuthorizationRequest,
    /// When it was looked at what is known, in milliseconds.
    pub(super) at: i64,
}

/// Sends the browser to a page, or with the answer to the client.
pub(super) async fn proceed(
    visit: &Visit<'_>,
    parameters: Parameters,
    kept: Option<Kept>,
) -> Result<Response, Failure> {
    let Visit {
        app,
        browser,
        request,
        ..
    } = visit;
    let kept = match kept {
        Some(kept) => Some(kept.renewed(app, browser, about(request)).await?),
        None => None,
    };
    let fresh = Interaction::default();
    let interaction = kept.as_ref().map_or(&fresh, |kept| &kept.interaction);
    if interaction.refused {
        return finish(
            visit,
            kept,
            Err((ErrorCode::AccessDenied, "the user did not want to")),
        )
        .await;
    }
    let session = browser.session.as_ref();
    let step = situation(visit, interaction, session).await?.next();
    let page = match (step, session) {
        (Step::Answer, Some(session)) => {
            // A request that went through the pages was counted when it came.
            let counted = match &kept {
                Some(_) => Ok(()),
                None => count(visit).await,
            };
            if let (Err(Failure::Refused(_)), true) = (&counted, request.prompt.none) {
                // Nobody looks at a page: the client is to hear of it.
                let why = (
                    ErrorCode::TemporarilyUnavailable,
                    "too many requests; ask again later",
                );
                return finish(visit, kept, Err(why)).await;
            }
            counted?;
            return finish(visit, kept, Ok(session)).await;
        }
        (Step::Refuse(code), _) => {
            return finish(visit, kept, Err((code, "a page would have to be shown"))).await;
        }
        (Step::ChooseAccount, _) => "/login/choose",
        (Step::Consent, _) => "/consent",
        (Step::Login | Step::Answer, _) => "/login",
    };
    let kept = match kept {
        Some(kept) => kept,
        None => {
            count(visit).await?;
            let interaction = Interaction::of(parameters.into_request(), about(request));
            interaction.keep(app, Some(browser)).await?
        }
    };
    see_other(&format!("{page}?interaction={}", kept.id))
}

/// Counts what keeps a row, be it of a request that waits or of a code.
async fn count(visit: &Visit<'_>) -> Result<(), Failure> {
    let (app, address) = (visit.app, visit.caller.address);
    let attempt = match &visit.browser.session {
        Some(session) => Attempt::authorization_by(app, &session.user.sub, address)?,
        None => Attempt::authorization(app, address)?,
    };
    attempt.count(app).await
}

/// What the pages show of a request.
pub(super) fn about(request: &AuthorizationRequest) -> About {
    About {
        client_id: request.client.id.clone(),
        client_changed_at: request.client.changed_at,
        extent: request.extent.clone(),
        audience: request.audience.clone(),
        goes_to: Some(request.to.text.clone()),
        sends_to: request.to.source(),
        may_remember: request.client.consent == Consent::Remembered && !is_unproven(request),
        names_account: request.expected_subs.is_some(),
    }
}

async fn situation(
    visit: &Visit<'_>,
    interaction: &Interaction,
    session: Option<&BrowserSession>,
) -> Result<Situation, Failure> {
    let Visit { app, request, .. } = visit;
    let Some(session) = session else {
        return Ok(Situation {
            prompt: request.prompt,
            ..Situation::default()
        });
    };
    let age_ms = app.now().saturating_sub(session.auth_time);
    let oldest_ms = request
        .max_age
        .map(|seconds| i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX));
    let expected = request.expected_subs.as_ref();
    Ok(Situation {
        prompt: request.prompt,
        signed_in: true,
        just_logged_in: interaction.logged_in.as_ref() == Some(&session.sid),
        too_long_ago: oldest_ms.is_some_and(|oldest| age_ms > oldest || oldest == 0),
        somebody_else: expected.is_some_and(|subs| !subs.contains(&session.user.sub)),
        wants_login: interaction.wants_login,
        account_chosen: interaction.account_chosen.as_ref() == Some(&session.sid),
        allowed: allowed(visit, interaction, session).await?,
    })
}

/// Whether the user lets the client: said so now, or before, or is not asked.
async fn allowed(
    visit: &Visit<'_>,
    interaction: &Interaction,
    session: &BrowserSession,
) -> Result<bool, Failure> {
    let Visit { app, request, .. } = visit;
    let now = interaction.allowed.as_ref();
    if now.is_some_and(|(sid, allowed)| *sid == session.sid && allowed.covers(&request.extent)) {
        return Ok(true);
    }
    match request.client.consent {
        _ if request.prompt.consent => Ok(false),
        // Any program on a device can call itself by the name of an app: neither the operator's word nor the user's is about it.
        _ if is_unproven(request) => Ok(false),
        Consent::None => Ok(true),
        Consent::Explicit => Ok(false),
        Consent::Remembered => {
            let key = GrantKey {
                user: session.user.id,
                client_id: &request.client.id,
                audience: &request.audience,
            };
            let granted = app.store.granted(key).await?;
            // An empty scope is granted as well, once it was.
            Ok(granted.is_some_and(|granted| granted.covers(&request.extent)))
        }
    }
}

/// A public client whose address any program on the device may take (RFC 8252 §8.6).
fn is_unproven(request: &AuthorizationRequest) -> bool {
    request.client.auth_method == AuthMethod::None && !request.to.text.starts_with("https:")
}

/// The answer. An interaction leads to one, and so does a pushed request, whatever becomes of it.
async fn finish(
    visit: &Visit<'_>,
    kept: Option<Kept>,
    outcome: Result<&BrowserSession, (ErrorCode, &'static str)>,
) -> Result<Response, Failure> {
    let Visit { app, request, .. } = visit;
    let somebody_acted = kept
        .as_ref()
        .is_some_and(|kept| kept.interaction.somebody_acted());
    if let Some(kept) = &kept {
        kept.finish(app).await?;
    }
    if let Some(name) = &request.pushed {
        par::spend(app, name).await?;
    }
    match outcome {
        Ok(session) => {
            app.store.touch_browser_session(&session.sid, app.now()).await?;
            let code = code(visit, session).issue(app).await?;
            request.to.answer(app, &[("code", &code)])
        }
        Err((code, reason)) if request.to.is_unverified && !somebody_acted => {
            Err(code.because(reason).into())
        }
        Err(why) => refuse(app, &request.to, why, None),
    }
}

fn code(visit: &Visit<'_>, session: &BrowserSession) -> AuthorizationCode {
    let request = visit.request;
    AuthorizationCode {
        client_id: request.client.id.clone(),
        client_changed_at: request.client.changed_at,
        redirect_uri: request.to.text.clone(),
        redirect_uri_was_sent: request.to.was_sent,
        challenge: request.challenge.clone(),
        scope: request.extent.scope.clone(),
        audience: request.audience.clone(),
        sub: session.user.sub.clone(),
        browser_sid: session.sid.clone(),
        allowed_at: visit.at,
        auth_time: session.auth_time,
        nonce: request.nonce.clone(),
        claims: request.claims.clone(),
        jkt: request.jkt.clone(),
    }
}

/// A request that is not answered: the client is told at its address, or the person at the browser, never both.
pub(super) fn object(app: &App, parameters: &Parameters, objection: Objection) -> Result<Response, Failure> {
    match objection {
        Objection::ToPerson(failure) => Err(failure),
        Objection::ToClient(to, code, reason) => {
            let help = implicit::help(app, parameters, (&to, code));
            match to.is_unverified {
                // D17, RFC 9700 §4.11.2: nobody has done anything here, and who knows where that address leads?
                true => Err(code.because(reason).help(help).into()),
                false => refuse(app, &to, (code, reason), help),
            }
        }
    }
}

fn refuse(
    app: &App,
    to: &ReturnAddress,
    (code, reason): (ErrorCode, &'static str),
    help: Option<String>,
) -> Result<Response, Failure> {
    tracing::info!(code = code.name(), reason, "an authorization request was refused");
    let help = help.as_deref().map(|help| ("error_uri", help));
    let told = [("error", code.name()), ("error_description", reason)];
    let told: Vec<_> = told.into_iter().chain(help).collect();
    to.answer(app, &told)
}
