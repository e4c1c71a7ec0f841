//! `/consent`: what a client wants, for whom and for how long, and what the user says to it.
//!
//! Spec: OpenID Connect Core §3.1.2.4, §5.5 · RFC 6749 §4.1.1

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::get;
use carnet_oauth::extent::Extent;
use carnet_store::{AuditAction, BrowserSession};
use serde_json::json;

use crate::app::App;
use crate::audit::Caller;
use crate::config::Ttl;
use crate::http::failure::Failure;
use crate::http::form::Form;
use crate::http::page::{page, see_other};
use crate::http::visitor::{Filled, Visitor, not_by_head, require_page_of_ours};
use crate::interaction::{Asking, Door, lasting, with};

const PATH: &str = "/consent";

/// The routes.
pub(crate) fn routes(app: &App) -> Router<App> {
    Router::new()
        .route(PATH, not_by_head(get(show).post(submit), "GET, POST"))
        .route_layer(from_fn_with_state(app.clone(), require_page_of_ours))
}

async fn show(visitor: Visitor) -> Response {
    visitor.told(consent_page(&visitor).await)
}

async fn consent_page(visitor: &Visitor) -> Result<Response, Failure> {
    let app = &visitor.app;
    let asking = Asking::of(visitor, &visitor.query()?, Some(Door::Authorize)).await?;
    let session = asking.browser.session.as_ref();
    let Some(session) = session.filter(|_| !asking.is_outdated()) else {
        return see_other(&asking.kept.resume());
    };
    let about = &asking.kept.interaction.about;
    let granted = app.store.granted(asking.grant_key(session)).await?;
    let lacks = |has: &dyn Fn(&Extent) -> bool| granted.as_ref().is_some_and(|granted| !has(granted));
    // What openid means comes before what goes beyond it.
    let extent = &about.extent;
    let (first, rest): (Vec<&str>, Vec<&str>) = extent.scope.iter().partition(|name| *name == "openid");
    let scopes: Vec<_> = first
        .into_iter()
        .chain(rest)
        .map(|name| json!({ "name": name, "is_new": lacks(&|granted| granted.scope.contains(name)) }))
        .collect();
    let claims = extent.claims.iter();
    let claims: Vec<_> = claims
        .map(|name| json!({ "name": name, "is_new": lacks(&|granted| granted.has_claim(name)) }))
        .collect();
    let is_tied = !extent.scope.contains("offline_access");
    let lasting = lasting(&asking.client, is_tied.then(|| left(app, session)));
    let own = json!({
        "user": { "email": session.user.email, "sub": session.user.sub },
        "scopes": scopes,
        "claims": claims,
        "audience": [about.audience],
        "may_remember": about.may_remember,
        "remember": about.may_remember,
        "may_switch": !about.names_account,
    });
    let content = with(with(asking.common(app, PATH)?, lasting), own);
    page(app, "consent.html", &asking.view(), &content)
}

/// What is left of a login at most, as people count it: in whole days, or hours, or minutes, as long as there are two of them.
fn left(app: &App, session: &BrowserSession) -> Ttl {
    let absolute = app.config.tokens.refresh_absolute.as_seconds();
    let passed = app.now().saturating_sub(session.created_at) / 1000;
    let left = absolute.saturating_sub(u64::try_from(passed).unwrap_or_default());
    let unit = [86_400, 3_600, 60].into_iter().find(|unit| left >= 2 * unit);
    Ttl::seconds(left.next_multiple_of(unit.unwrap_or(1)))
}

async fn submit(visitor: Visitor, Filled(form): Filled) -> Response {
    visitor.told(decide(&visitor, form).await)
}

async fn decide(visitor: &Visitor, form: Result<Form, Failure>) -> Result<Response, Failure> {
    let (form, app, caller) = (form?, &visitor.app, &visitor.caller);
    let mut asking = Asking::answered(visitor, &form, Some(Door::Authorize)).await?;
    let decision = form.optional("decision");
    if decision == Some("other") {
        asking.kept.interaction.wants_login = true;
        asking.kept.save(app).await?;
        return see_other(&asking.kept.resume());
    }
    let shown = asking.shown_account(&form);
    let Some(session) = shown.filter(|_| !asking.is_outdated()) else {
        // Signed out meanwhile, or somebody else is signed in: who would it be that allows? Or the client is another: what would be allowed?
        return see_other(&asking.kept.resume());
    };
    let allows = decision == Some("allow");
    if allows && form.optional("remember").is_some() && asking.kept.interaction.about.may_remember {
        remember(app, caller, &asking, session).await?;
    } else {
        let (sub, id) = (&session.user.sub, &asking.client.id);
        let audit = match allows {
            true => caller.did(sub, AuditAction::Consent, id),
            false => caller.was_refused(sub, AuditAction::Consent, id, "access_denied"),
        };
        app.store.record_audit(&audit, app.now()).await?;
    }
    let sid = session.sid.clone();
    let interaction = &mut asking.kept.interaction;
    // Whoever wanted another account has come back.
    interaction.wants_login = false;
    if allows {
        interaction.allowed = Some((sid, interaction.about.extent.clone()));
    } else {
        interaction.refused = true;
    }
    asking.kept.save(app).await?;
    see_other(&asking.kept.resume())
}

async fn remember(
    app: &App,
    caller: &Caller,
    asking: &Asking,
    session: &BrowserSession,
) -> Result<(), Failure> {
    let key = asking.grant_key(session);
    let extent = &asking.kept.interaction.about.extent;
    let audit = caller.did(&session.user.sub, AuditAction::Consent, key.client_id);
    app.store.remember_grant(key, extent, (app.now(), &audit)).await?;
    Ok(())
}
