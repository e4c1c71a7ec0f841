//! `/account/apps`: which apps somebody has let in, and how to take that back.
//!
//! Spec: OAuth 2.0 Grant Management (the idea) · OpenID Connect Core §3.1.2.4

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use carnet_oauth::grant_type::GrantType;
use carnet_store::{AuditAction, Reason};
use serde_json::{Value, json};

use super::person::{Person, sign_in};
use super::said;
use super::sessions::name_of;
use crate::app::App;
use crate::http::failure::Failure;
use crate::http::page::see_other;
use crate::http::visitor::{Filled, Visitor, not_by_head};

const PATH: &str = "/account/apps";
const WITHDRAW_PATH: &str = "/account/apps/withdraw";

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route(PATH, not_by_head(get(show), "GET"))
        .route(WITHDRAW_PATH, not_by_head(get(ask).post(withdraw), "GET, POST"))
}

/// What an app may do, and where it does so now.
#[derive(Default)]
struct Access {
    scopes: BTreeSet<String>,
    since: Option<i64>,
    sessions: usize,
}

/// By client: what is remembered, and what is signed in without that.
async fn accesses(app: &App, person: &Person) -> Result<BTreeMap<String, Access>, Failure> {
    let user = person.session.user.id;
    let mut all: BTreeMap<String, Access> = BTreeMap::new();
    for grant in app.store.grants_of(user).await? {
        let access = all.entry(grant.client_id).or_default();
        access.scopes.extend(
            grant
                .scope
                .split(' ')
                .filter(|name| !name.is_empty())
                .map(str::to_owned),
        );
        access.began(grant.created_at);
    }
    let tokens = &app.config.tokens;
    let life = (tokens.refresh_idle.millis(), tokens.refresh_absolute.millis());
    for session in app.store.live_sessions_of(user, app.now(), life).await? {
        // The login API is how people sign in at the operator's own apps: there is nothing to let them.
        let ours = app.directory.login_client(Some(&session.client_id)).is_some();
        if !session.client_id.is_empty() && !ours {
            let access = all.entry(session.client_id).or_default();
            access.sessions += 1;
            access.began(session.created_at);
        }
    }
    Ok(all)
}

impl Access {
    fn began(&mut self, at: i64) {
        self.since = Some(self.since.map_or(at, |since| since.min(at)));
    }
}

async fn show(visitor: Visitor) -> Response {
    visitor.told(list(&visitor).await)
}

async fn list(visitor: &Visitor) -> Result<Response, Failure> {
    let app = &visitor.app;
    let Some(person) = Person::of(visitor, &visitor.query()?).await? else {
        return sign_in(visitor, PATH).await;
    };
    let mut apps: Vec<Value> = Vec::new();
    for (client_id, access) in accesses(app, &person).await? {
        apps.push(json!({
            "name": name_of(app, &client_id).await?,
            "id": client_id,
            "scopes": access.scopes,
            "since": access.since.map(|since| said::ago(since, app.now())),
            "sessions": access.sessions,
            "withdraw_url": person.link(WITHDRAW_PATH, &[("app", &client_id)]),
        }));
    }
    person.page(app, ("account_apps.html", PATH), (&[], &json!({ "apps": apps })))
}

async fn ask(visitor: Visitor) -> Response {
    let asked = async {
        let (app, form) = (&visitor.app, visitor.query()?);
        let Some(person) = Person::of(&visitor, &form).await? else {
            return sign_in(&visitor, PATH).await;
        };
        let accesses = accesses(app, &person).await?;
        let found = form.optional("app").and_then(|id| accesses.get_key_value(id));
        let Some((client_id, access)) = found else {
            return see_other(&person.link(PATH, &[]));
        };
        let own = json!({
            "kind": "withdraw", "one": null, "apps": [], "ends": access.sessions, "name": name_of(app, client_id).await?,
            "fields": [{ "name": "app", "value": client_id }], "back_url": person.link(PATH, &[]),
        });
        let parameters = [("app", client_id.as_str())];
        person.page(app, ("account_confirm.html", WITHDRAW_PATH), (&parameters, &own))
    };
    visitor.told(asked.await)
}

/// CN-06: what the app was let do, what it holds, and what is on its way to it.
async fn withdraw(visitor: Visitor, Filled(form): Filled) -> Response {
    let withdrawn = async {
        let (app, form) = (&visitor.app, form?);
        let Some(person) = Person::decided(&visitor, &form).await? else {
            return sign_in(&visitor, PATH).await;
        };
        let client_id = form.required("app")?;
        let user = &person.session.user;
        // Only what is in the list: no rows for names that somebody has made up.
        if accesses(app, &person).await?.contains_key(client_id) {
            let cut = person.cut(
                &visitor,
                (Reason::Revoked, AuditAction::ConsentWithdraw),
                client_id,
            );
            let (store, whose) = (&app.store, (user.id, user.sub.as_str()));
            let client = app.client(client_id).await?;
            if client.is_none_or(|client| client.may(GrantType::TokenExchange)) {
                store.withdraw_with_exchanged(whose, client_id, &cut).await?;
            } else {
                store.withdraw_consent(whose, client_id, &cut).await?;
            }
        }
        see_other(&person.link(PATH, &[]))
    };
    visitor.told(withdrawn.await)
}
