//! `/account/sessions`: where somebody is signed in, and how to end that.
//!
//! Spec: OpenID Connect Back-Channel Logout §2.3 (what ends is told to clients)

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use carnet_store::{AuditAction, LiveSession, Reason, Strength};
use serde_json::{Value, json};

use super::person::{Person, sign_in};
use super::{device, said};
use crate::app::App;
use crate::browser::sign_out;
use crate::http::failure::Failure;
use crate::http::form::Form;
use crate::http::page::see_other;
use crate::http::visitor::{Filled, Visitor, not_by_head};

pub(super) const PATH: &str = "/account/sessions";
const END_PATH: &str = "/account/sessions/end";
const OTHERS_PATH: &str = "/account/sessions/end-others";

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route(PATH, not_by_head(get(show), "GET"))
        .route(END_PATH, not_by_head(get(ask_one).post(end_one), "GET, POST"))
        .route(
            OTHERS_PATH,
            not_by_head(get(ask_others).post(end_others), "GET, POST"),
        )
}

async fn show(visitor: Visitor) -> Response {
    visitor.told(list(&visitor).await)
}

async fn list(visitor: &Visitor) -> Result<Response, Failure> {
    let app = &visitor.app;
    let Some(person) = Person::of(visitor, &visitor.query()?).await? else {
        return sign_in(visitor, PATH).await;
    };
    let live = live(app, &person).await?;
    let (mut browsers, mut others) = (Vec::new(), Vec::new());
    for session in &live {
        let shown = shown(app, &person, session).await?;
        if session.client_id.is_empty() {
            let apps = apps_in(app, &live, session).await?;
            let mut shown = shown;
            shown["apps"] = json!(apps);
            browsers.push(shown);
        } else if session.ends_with.is_none() {
            others.push(shown);
        }
    }
    // This one first.
    browsers.sort_by_key(|browser| browser["here"] != true);
    let own = json!({
        "browsers": browsers,
        "others": others,
        "end_others_url": (browsers.len() + others.len() > 1).then(|| person.link(OTHERS_PATH, &[])),
    });
    person.page(app, ("account_sessions.html", PATH), (&[], &own))
}

async fn live(app: &App, person: &Person) -> Result<Vec<LiveSession>, Failure> {
    let tokens = &app.config.tokens;
    let life = (tokens.refresh_idle.millis(), tokens.refresh_absolute.millis());
    let user = person.session.user.id;
    Ok(app.store.live_sessions_of(user, app.now(), life).await?)
}

async fn shown(app: &App, person: &Person, session: &LiveSession) -> Result<Value, Failure> {
    let now = app.now();
    let (browser, system) = device::named(&session.user_agent);
    Ok(json!({
        "app": name_of(app, &session.client_id).await?,
        "apps": [],
        "browser": browser,
        "system": system,
        "address": session.address,
        "here": session.sid == person.session.sid,
        "began": said::ago(session.created_at, now),
        "seen": said::ago(session.last_seen_at, now),
        "end_url": person.link(END_PATH, &[("session", &session.sid)]),
    }))
}

/// What people call a client; one that is not there any more keeps its id. Empty for none.
pub(super) async fn name_of(app: &App, client_id: &str) -> Result<String, Failure> {
    if let Some(client) = app.directory.login_client(Some(client_id)) {
        return Ok(client.shown_name().to_owned());
    }
    let client = app.client(client_id).await?;
    Ok(client.map_or_else(|| client_id.to_owned(), |client| client.shown_name().to_owned()))
}

/// The apps that somebody has signed in to in a browser, each once.
async fn apps_in(app: &App, live: &[LiveSession], browser: &LiveSession) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for session in live {
        if session.ends_with.as_ref() == Some(&browser.sid) {
            let name = name_of(app, &session.client_id).await?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names.sort();
    Ok(names)
}

async fn ask_one(visitor: Visitor) -> Response {
    let asked = async {
        let (app, form) = (&visitor.app, visitor.query()?);
        let Some(person) = Person::of(&visitor, &form).await? else {
            return sign_in(&visitor, PATH).await;
        };
        let live = live(app, &person).await?;
        let Some(session) = own(&live, &form) else {
            return see_other(&person.link(PATH, &[]));
        };
        let parameters = [("session", session.sid.as_str())];
        let mut facts = shown(app, &person, session).await?;
        facts["apps"] = json!(apps_in(app, &live, session).await?);
        let own = json!({
            "kind": "end", "one": facts, "apps": facts["apps"], "ends": null, "name": "",
            "fields": [{ "name": "session", "value": session.sid }], "back_url": person.link(PATH, &[]),
        });
        person.page(app, ("account_confirm.html", END_PATH), (&parameters, &own))
    };
    visitor.told(asked.await)
}

/// Nobody ends what is somebody else's: what is not in their own list is not there.
fn own<'a>(live: &'a [LiveSession], form: &Form) -> Option<&'a LiveSession> {
    let sid = form.optional("session")?;
    live.iter().find(|session| session.sid == sid)
}

async fn end_one(visitor: Visitor, Filled(form): Filled) -> Response {
    let ended = async {
        let (app, form) = (&visitor.app, form?);
        let Some(person) = Person::decided(&visitor, &form).await? else {
            return sign_in(&visitor, PATH).await;
        };
        let mut response = see_other(&person.link(PATH, &[]))?;
        if let Some(session) = own(&live(app, &person).await?, &form) {
            let cut = person.cut(&visitor, (Reason::Logout, AuditAction::Logout), &session.sid);
            app.store
                .end_session(&session.sid, Strength::DenyList, None, &cut)
                .await?;
            if session.sid == person.session.sid {
                sign_out(app, &mut response)?;
            }
        }
        Ok(response)
    };
    visitor.told(ended.await)
}

async fn ask_others(visitor: Visitor) -> Response {
    let asked = async {
        let app = &visitor.app;
        let Some(person) = Person::of(&visitor, &visitor.query()?).await? else {
            return sign_in(&visitor, PATH).await;
        };
        let live = live(app, &person).await?;
        let here = Some(&person.session.sid);
        let others = live
            .iter()
            .filter(|session| Some(&session.sid) != here && session.ends_with.as_ref() != here);
        let (mut ends, mut apps) = (0, Vec::new());
        for session in others {
            if session.ends_with.is_none() {
                ends += 1;
            }
            let name = name_of(app, &session.client_id).await?;
            if !name.is_empty() && !apps.contains(&name) {
                apps.push(name);
            }
        }
        apps.sort();
        let own = json!({
            "kind": "others", "one": null, "apps": apps, "ends": ends, "name": "", "fields": [],
            "back_url": person.link(PATH, &[]),
        });
        person.page(app, ("account_confirm.html", OTHERS_PATH), (&[], &own))
    };
    visitor.told(asked.await)
}

async fn end_others(visitor: Visitor, Filled(form): Filled) -> Response {
    let ended = async {
        let (app, form) = (&visitor.app, form?);
        let Some(person) = Person::decided(&visitor, &form).await? else {
            return sign_in(&visitor, PATH).await;
        };
        let (user, here) = (&person.session.user, person.session.sid.as_str());
        let cut = person.cut(&visitor, (Reason::Logout, AuditAction::Logout), &user.sub);
        app.store
            .end_sessions_of(user.id, Strength::DenyList, Some(here), &cut)
            .await?;
        see_other(&person.link(PATH, &[]))
    };
    visitor.told(ended.await)
}
