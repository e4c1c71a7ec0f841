//! `/device`: a person types the code that a device shows, sees who asks for what, and decides.
//!
//! Spec: RFC 8628 §3.3, §3.3.1, §5.1 (guessing), §5.4 (phishing) · RFC 10027 · OpenID Connect Registration §2 (default_max_age)

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use carnet_oauth::device::{read_user_code, show_user_code};
use carnet_oauth::extent::Extent;
use carnet_store::{AuditAction, BrowserSession};
use http::StatusCode;
use serde_json::{Value, json};

use crate::app::App;
use crate::browser::Browser;
use crate::config::Ttl;
use crate::http::failure::{Failure, Refusal};
use crate::http::form::Form;
use crate::http::page::{View, language, page, see_other, take_over};
use crate::http::visitor::{Filled, Visitor, not_by_head, require_page_of_ours};
use crate::interaction::{About, Asking, Door, Interaction, Request, lasting, with};
use crate::pages::{LANGUAGES, Language};
use crate::throttle::Attempt;
use crate::token::device_code::{Asked, Decision, DeviceRequest};

pub(super) const PATH: &str = "/device";
const DECIDE_PATH: &str = "/device/decide";
/// What the form token of the page for codes is about.
const SUBJECT: &str = "device";
/// The parameter under which an interaction keeps its code.
const CODE: &str = "user_code";

pub(super) fn routes(app: &App) -> Router<App> {
    Router::new()
        .route(PATH, not_by_head(get(show).post(submit), "GET, POST"))
        .route(DECIDE_PATH, post(decide))
        .route_layer(from_fn_with_state(app.clone(), require_page_of_ours))
}

async fn show(visitor: Visitor) -> Response {
    let shown = async {
        let query = visitor.query()?;
        match query.optional("interaction") {
            Some(_) => confirmation(&visitor, &query).await,
            None => {
                let browser = Browser::read(&visitor.app, &visitor.headers).await?;
                // DV-04: a link fills in the code. Whether there is such a code is not looked at yet.
                let language = language(query.optional("lang"), &visitor.headers);
                code_page(&visitor.app, &browser, (language, query.optional(CODE)), None)
            }
        }
    };
    visitor.told(shown.await)
}

/// The page for codes; once more, with what was wrong and what was typed.
fn code_page(
    app: &App,
    browser: &Browser,
    (language, typed): (Language, Option<&str>),
    error: Option<&str>,
) -> Result<Response, Failure> {
    let typed = typed.filter(|typed| typed.len() <= 32);
    let link = |other: Language| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("lang", other.tag);
        query.extend_pairs(typed.map(|typed| (CODE, typed)));
        json!({
            "lang": other.tag,
            "label": other.label,
            "url": format!("{PATH}?{}", query.finish()),
            "current": other == language,
        })
    };
    let content = json!({
        "action": PATH,
        "csrf": browser.form_token(app, SUBJECT)?,
        "user_code": typed,
        "error": error,
        "language": language.tag,
        "client": null,
        "language_links": LANGUAGES.map(link),
    });
    let mut response = page(app, "device.html", &View::in_language(language), &content)?;
    browser.remember(app, &mut response)?;
    Ok(response)
}

fn wrong(
    app: &App,
    browser: &Browser,
    shown: (Language, Option<&str>),
    error: &str,
) -> Result<Response, Failure> {
    let mut response = code_page(app, browser, shown, Some(error))?;
    *response.status_mut() = StatusCode::BAD_REQUEST;
    Ok(response)
}

/// Somebody else was first, or the same person in another window.
fn used(app: &App, asking: &Asking) -> Result<Response, Failure> {
    wrong(app, &asking.browser, (asking.language, None), "used")
}

async fn submit(visitor: Visitor, Filled(form): Filled) -> Response {
    visitor.told(look_up(&visitor, form).await)
}

/// A code that is right leads to the page that asks, by way of the login if need be.
async fn look_up(visitor: &Visitor, form: Result<Form, Failure>) -> Result<Response, Failure> {
    let (form, app) = (form?, &visitor.app);
    let browser = Browser::read(app, &visitor.headers).await?;
    browser.require_form_token(app, SUBJECT, form.optional("csrf"))?;
    let typed = form.optional(CODE);
    let shown = (language(form.optional("lang"), &visitor.headers), typed);
    let again = |error| wrong(app, &browser, shown, error);
    let Some(typed) = typed else {
        return again("missing");
    };
    // DV-01: counted before it is looked at, and given back when it was right.
    let sub = browser.session.as_ref().map(|session| session.user.sub.as_str());
    let attempt = Attempt::user_code(app, visitor.caller.address, sub)?;
    if let Err(failure) = attempt.count(app).await {
        let Failure::Refused(refusal) = failure else {
            return Err(failure);
        };
        let mut response = again("too_many")?;
        take_over(&refusal.into_response(), &mut response);
        return Ok(response);
    }
    let code = read_user_code(typed);
    let found = match &code {
        Some(code) => DeviceRequest::find(app, code).await?,
        None => None,
    };
    let (Some(code), Some(Asked { request, .. })) = (code, found) else {
        return again("unknown");
    };
    attempt.give_back(app);
    // A right code makes a row with each submit.
    Attempt::authorization(app, visitor.caller.address)?
        .count(app)
        .await?;
    if !request.lives(app) {
        return again("expired");
    }
    if request.decision.is_some() {
        return again("used");
    }
    let about = About {
        client_id: request.client_id.clone(),
        client_changed_at: request.client_changed_at,
        extent: Extent {
            scope: request.scope.clone(),
            ..Extent::default()
        },
        audience: request.audience.clone(),
        ..About::default()
    };
    let asked = Request {
        parameters: vec![(CODE.to_owned(), code)],
        pushed: None,
    };
    let mut interaction = Interaction::of(asked, about).through(Door::Device);
    interaction.language = form.optional("lang").map(str::to_owned);
    let kept = interaction.keep(app, Some(&browser)).await?;
    see_other(&kept.resume())
}

/// Who asks for what, from where and since when. Nothing is decided by looking at it (DV-04).
async fn confirmation(visitor: &Visitor, query: &Form) -> Result<Response, Failure> {
    let app = &visitor.app;
    let asking = Asking::of(visitor, query, Some(Door::Device)).await?;
    let (code, Asked { request, .. }) = asked_of(app, &asking).await?;
    if request.decision.is_some() {
        return used(app, &asking);
    }
    if asking.kept.interaction.refused {
        asking.kept.finish(app).await?;
        return see_other(PATH);
    }
    let session = match &asking.browser.session {
        Some(session) if !asking.kept.interaction.wants_login && !is_too_old(app, &asking, session) => {
            session
        }
        _ => return see_other(&format!("/login?interaction={}", asking.kept.id)),
    };
    let mut scopes: Vec<&str> = request.scope.iter().collect();
    // What openid means comes before what goes beyond it.
    scopes.sort_by_key(|name| *name != "openid");
    let user = &session.user;
    let own = json!({
        "user": { "email": user.email, "sub": user.sub },
        "user_code": show_user_code(&code),
        "asked_at": moment(request.asked_at),
        "minutes_ago": app.now().saturating_sub(request.asked_at) / 60_000,
        "asked_from": request.address,
        "scopes": scopes,
        "audience": request.audience,
    });
    let mut common = asking.common(app, PATH)?;
    if let Some(action) = common.get_mut("action") {
        *action = Value::from(DECIDE_PATH);
    }
    // The device is another one than the browser: it stays when the browser is signed out.
    let own = with(own, lasting(&asking.client, None));
    page(app, "device_confirm.html", &asking.view(), &with(common, own))
}

/// What the interaction is about.
async fn asked_of(app: &App, asking: &Asking) -> Result<(String, Asked), Failure> {
    let code = asking.kept.parameter(CODE).ok_or_else(gone)?;
    let asked = DeviceRequest::find(app, code).await?;
    let asked = asked.filter(|Asked { request, .. }| {
        let shown = request.client_id == asking.client.id && !asking.is_outdated();
        shown && request.lives(app)
    });
    Ok((code.to_owned(), asked.ok_or_else(gone)?))
}

async fn decide(visitor: Visitor, Filled(form): Filled) -> Response {
    visitor.told(answer(&visitor, form).await)
}

async fn answer(visitor: &Visitor, form: Result<Form, Failure>) -> Result<Response, Failure> {
    let (form, app) = (form?, &visitor.app);
    let mut asking = Asking::answered(visitor, &form, Some(Door::Device)).await?;
    let (code, asked) = asked_of(app, &asking).await?;
    if asked.request.decision.is_some() {
        return used(app, &asking);
    }
    let decision = form.optional("decision");
    let shown = asking.shown_account(&form);
    let stays = |session: &&BrowserSession| decision != Some("other") && !is_too_old(app, &asking, session);
    let Some(session) = shown.filter(stays) else {
        // Another account or a younger login is wanted, or somebody else has signed in meanwhile: asked again.
        asking.kept.interaction.wants_login = decision == Some("other");
        asking.kept.save(app).await?;
        return see_other(&asking.kept.resume());
    };
    let allows = decision == Some("allow");
    let said = match allows {
        true => Decision::Allowed {
            sub: session.user.sub.clone(),
            browser_sid: session.sid.clone(),
            auth_time: session.auth_time,
            allowed_at: app.now(),
        },
        false => Decision::Denied,
    };
    // Of two browsers that decide at once, one is heard.
    if !asked.decide(app, &code, said).await? {
        return used(app, &asking);
    }
    note(visitor, session, &asked.request.client_id, allows).await?;
    asking.kept.finish(app).await?;
    let content = with(
        asking.common(app, PATH)?,
        json!({ "allowed": allows, "language_links": [] }),
    );
    page(app, "device_done.html", &asking.view(), &content)
}

/// Whether the client wants a younger login (`default_max_age`), and this one was not made for it.
fn is_too_old(app: &App, asking: &Asking, session: &BrowserSession) -> bool {
    let made_for_it = asking.kept.interaction.logged_in.as_ref() == Some(&session.sid);
    let age = app.now().saturating_sub(session.auth_time);
    let oldest = asking.client.default_max_age.map(Ttl::millis);
    !made_for_it && oldest.is_some_and(|oldest| age > oldest || oldest == 0)
}

async fn note(
    visitor: &Visitor,
    session: &BrowserSession,
    client_id: &str,
    allows: bool,
) -> Result<(), Failure> {
    let (app, caller, sub) = (&visitor.app, &visitor.caller, &session.user.sub);
    let audit = match allows {
        true => caller.did(sub, AuditAction::Consent, client_id),
        false => caller.was_refused(sub, AuditAction::Consent, client_id, "access_denied"),
    };
    app.store.record_audit(&audit, app.now()).await?;
    app.store.touch_browser_session(&session.sid, app.now()).await?;
    Ok(())
}

/// A time for programs; people read how long ago it was.
fn moment(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).map_or_else(|_| String::new(), |time| time.to_string())
}

fn gone() -> Refusal {
    const REASON: &str = "the code has expired, or the app has changed: ask the device for another";
    Refusal::new(StatusCode::BAD_REQUEST, "interaction_expired", REASON)
}
