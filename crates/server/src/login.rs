//! `/login`: the page that asks who somebody is, and the one that asks which account.
//!
//! Spec: OpenID Connect Core §3.1.2.3 · RFC 9700 §4.7.1 (CSRF), §4.12 (303)

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use carnet_store::{AuditAction, BrowserSession, NewAudit, NewBrowserSession, Reason, ReplacedSession};
use http::StatusCode;
use serde_json::json;

use crate::app::App;
use crate::audit::Caller;
use crate::browser::{end_strength, sign_in};
use crate::credentials::{self, Known, Typed, invalid_credentials};
use crate::email::Email;
use crate::http::cookie;
use crate::http::failure::Failure;
use crate::http::form::Form;
use crate::http::page::{page, see_other, take_over};
use crate::http::visitor::{Filled, Visitor, not_by_head, require_page_of_ours};
use crate::interaction::{Asking, Door, with};

const PATH: &str = "/login";
const CHOOSE_PATH: &str = "/login/choose";

/// The routes.
pub(crate) fn routes(app: &App) -> Router<App> {
    Router::new()
        .route(PATH, not_by_head(get(show).post(submit), "GET, POST"))
        .route(
            CHOOSE_PATH,
            not_by_head(get(show_account).post(choose), "GET, POST"),
        )
        .route_layer(from_fn_with_state(app.clone(), require_page_of_ours))
}

async fn show(visitor: Visitor) -> Response {
    let page = async {
        let asking = Asking::of(&visitor, &visitor.query()?, None).await?;
        if asking.is_outdated() {
            return see_other(&asking.kept.resume());
        }
        // Who wants another account does not want the one that the client has thought of.
        let hint = asking.kept.parameter("login_hint");
        let hint = hint.filter(|_| !asking.kept.interaction.wants_login);
        login_page(&visitor.app, &asking, (None, hint))
    };
    visitor.told(page.await)
}

/// The page; once more, with what was wrong and the address that was typed.
fn login_page(
    app: &App,
    asking: &Asking,
    (error, address): (Option<&str>, Option<&str>),
) -> Result<Response, Failure> {
    let own = json!({
        "login_hint": address.filter(|address| address.len() <= 254),
        "error": error,
    });
    page(
        app,
        "login.html",
        &asking.view(),
        &with(asking.common(app, PATH)?, own),
    )
}

async fn submit(visitor: Visitor, Filled(form): Filled) -> Response {
    visitor.told(log_in(&visitor, form).await)
}

async fn log_in(visitor: &Visitor, form: Result<Form, Failure>) -> Result<Response, Failure> {
    let (form, app, caller) = (form?, &visitor.app, &visitor.caller);
    let mut asking = Asking::answered(visitor, &form, None).await?;
    if form.optional("decision") == Some("cancel") {
        asking.kept.interaction.refused = true;
        asking.kept.save(app).await?;
        return see_other(&asking.kept.resume());
    }
    let email = form.optional("username").map(str::trim);
    let (email, password) = match (email, form.optional("password")) {
        (None, _) => return again(app, &asking, StatusCode::BAD_REQUEST, ("username_missing", None)),
        (Some(email), _) if Email::parse(email).is_none() => {
            return again(
                app,
                &asking,
                StatusCode::BAD_REQUEST,
                ("username_invalid", Some(email)),
            );
        }
        (Some(email), None) => {
            return again(
                app,
                &asking,
                StatusCode::BAD_REQUEST,
                ("password_missing", Some(email)),
            );
        }
        (Some(email), Some(password)) => (email, password),
    };
    let typed = Typed {
        email,
        password,
        device: cookie::read(&visitor.headers, credentials::device_cookie(app))?,
    };
    let begun = match credentials::check(app, caller, &typed).await {
        Ok(known) => begin(app, caller, &known, asking.browser.last_session()).await,
        Err(failure) => Err(failure),
    };
    let (sid, sub) = match begun {
        Ok(begun) => begun,
        Err(failure) => return say(app, &asking, email, failure),
    };
    asking.kept.interaction.logged_in = Some(sid.clone());
    asking.kept.interaction.wants_login = false;
    asking.kept.save(app).await?;
    let mut response = see_other(&asking.kept.resume())?;
    sign_in(app, &mut response, &sid)?;
    credentials::remember_device(app, &mut response, &sub, PATH)?;
    Ok(response)
}

/// A session of the browser: its name, and whose it is.
async fn begin(
    app: &App,
    caller: &Caller,
    known: &Known,
    before: Option<&BrowserSession>,
) -> Result<(String, String), Failure> {
    let user = &known.record.user;
    let new = NewBrowserSession {
        user: user.id,
        password_changed_at: known.record.password_changed_at,
        address: caller.address.to_string(),
        user_agent: caller.user_agent.clone(),
        // CK-02: the cookie of before is dead, whoever has it.
        replaces: before.map(|session| replaced(app, caller, session)),
        absolute_ms: app.config.tokens.refresh_absolute.millis(),
        throttle_keys_to_clear: known.attempt.personal.clone(),
        audit: caller.did(&user.sub, AuditAction::Login, &user.sub),
    };
    let begun = match app.store.begin_browser_session(&new, app.now()).await {
        // None: disabled, or given another password, since it was looked up.
        Ok(begun) => begun.ok_or_else(invalid_credentials)?,
        Err(error) => {
            // The password was right, and we are at fault.
            known.attempt.give_back(app);
            return Err(error.into());
        }
    };
    app.store.refund_attempt(&known.attempt.shared).await?;
    Ok((begun, user.sub.clone()))
}

/// LO-04: whoever signs in as somebody else signs the one before out, of the clients as well: their tokens end, and those that can be told without
/// a browser are told.
fn replaced(app: &App, caller: &Caller, session: &BrowserSession) -> ReplacedSession {
    let audit = NewAudit {
        session: session.sid.clone(),
        ..caller.did(&session.user.sub, AuditAction::Logout, &session.sid)
    };
    ReplacedSession {
        sid: session.sid.clone(),
        user: session.user.id,
        strength: end_strength(app),
        cut: app.cut(Reason::Logout, audit),
    }
}

/// What a person can do something about is said on the page; the rest is an error.
fn say(app: &App, asking: &Asking, email: &str, failure: Failure) -> Result<Response, Failure> {
    let Failure::Refused(refusal) = failure else {
        return Err(failure);
    };
    let error = match refusal.code() {
        "invalid_credentials" => "no_match",
        "too_many_attempts" => "too_many",
        "temporarily_unavailable" => "unavailable",
        _ => return Err(refusal.into()),
    };
    let refused = refusal.into_response();
    let mut response = login_page(app, asking, (Some(error), Some(email)))?;
    take_over(&refused, &mut response);
    Ok(response)
}

fn again(
    app: &App,
    asking: &Asking,
    status: StatusCode,
    (error, typed): (&str, Option<&str>),
) -> Result<Response, Failure> {
    let mut response = login_page(app, asking, (Some(error), typed))?;
    *response.status_mut() = status;
    Ok(response)
}

async fn show_account(visitor: Visitor) -> Response {
    visitor.told(account_page(&visitor).await)
}

async fn account_page(visitor: &Visitor) -> Result<Response, Failure> {
    let asking = Asking::of(visitor, &visitor.query()?, Some(Door::Authorize)).await?;
    let session = asking.browser.session.as_ref();
    let Some(session) = session.filter(|_| !asking.is_outdated()) else {
        return see_other(&asking.kept.resume());
    };
    let user = &session.user;
    let own = json!({
        "user": { "name": user.name, "email": user.email, "sub": user.sub },
        "may_switch": !asking.kept.interaction.about.names_account,
    });
    let content = with(asking.common(&visitor.app, CHOOSE_PATH)?, own);
    page(&visitor.app, "choose_account.html", &asking.view(), &content)
}

async fn choose(visitor: Visitor, Filled(form): Filled) -> Response {
    let chosen = async {
        let form = form?;
        let mut asking = Asking::answered(&visitor, &form, Some(Door::Authorize)).await?;
        let shown = asking.shown_account(&form).map(|session| session.sid.clone());
        let interaction = &mut asking.kept.interaction;
        match form.optional("decision") {
            Some("continue") => {
                // Somebody else has signed in meanwhile: asked again.
                interaction.account_chosen = shown;
                // Whoever wanted another account has come back.
                interaction.wants_login = false;
            }
            Some("other") => interaction.wants_login = true,
            _ => interaction.refused = true,
        }
        asking.kept.save(&visitor.app).await?;
        see_other(&asking.kept.resume())
    };
    visitor.told(chosen.await)
}
