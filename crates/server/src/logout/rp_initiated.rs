//! `/logout`: a client, or the person at the browser, ends the login at our pages and everything that stands on it.
//!
//! Spec: OpenID Connect RP-Initiated Logout §2, §3

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use carnet_jose::primitive;
use carnet_oauth::id_token::IdTokenClaims;
use carnet_oauth::metadata::Metadata;
use carnet_store::{AuditAction, BrowserSession, NewAudit, Reason, TicketKind};
use data_encoding::BASE64;
use http::{HeaderValue, header};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::front_channel::{self, Frame};
use crate::app::App;
use crate::browser::{Browser, end_strength, sign_out};
use crate::client::Client;
use crate::http::failure::Failure;
use crate::http::form::Form;
use crate::http::origin::Origins;
use crate::http::page::{View, language, page, see_other, source_of};
use crate::http::visitor::{Filled, Visitor, not_by_head};
use crate::throttle::Attempt;
use crate::token::code::random_secret;

const PATH: &str = "/logout";
/// For how long what was posted waits for the browser to follow.
const KEPT_FOR_MS: i64 = 600_000;
/// What the form token of the confirmation is about.
const SUBJECT: &str = "logout";

/// The routes. What another site posts is only asked about; what decides has a token of ours in it.
pub(crate) fn routes() -> Router<App> {
    Router::new().route(PATH, not_by_head(get(show).post(submit), "GET, POST"))
}

/// What discovery says of it.
pub(crate) fn advertise(app: &App, metadata: &mut Metadata) {
    let openid = metadata.openid.get_or_insert_default();
    openid.end_session_endpoint = Some(app.config.issuer.join(PATH));
    openid.backchannel_logout_supported = true;
    openid.backchannel_logout_session_supported = true;
    openid.frontchannel_logout_supported = true;
    openid.frontchannel_logout_session_supported = true;
}

/// What a client may send along (§2). The form of the confirmation brings it back.
#[derive(Default, Deserialize, Serialize)]
struct LogoutRequest {
    id_token_hint: Option<String>,
    client_id: Option<String>,
    post_logout_redirect_uri: Option<String>,
    state: Option<String>,
    ui_locales: Option<String>,
}

impl LogoutRequest {
    fn of(form: &Form) -> Self {
        let read = |name| form.optional(name).map(str::to_owned);
        Self {
            id_token_hint: read("id_token_hint"),
            client_id: read("client_id"),
            post_logout_redirect_uri: read("post_logout_redirect_uri"),
            state: read("state"),
            ui_locales: read("ui_locales"),
        }
    }

    /// Everything that was sent.
    fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("id_token_hint", &self.id_token_hint),
            ("client_id", &self.client_id),
            ("post_logout_redirect_uri", &self.post_logout_redirect_uri),
            ("state", &self.state),
            ("ui_locales", &self.ui_locales),
        ];
        all.into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    /// What a client has posted comes without our cookies: it is kept for the browser that follows the redirect. An ID token stands in no URL.
    async fn keep(&self, visitor: &Visitor) -> Result<Response, Failure> {
        let app = &visitor.app;
        Attempt::authorization(app, visitor.caller.address)?
            .count(app)
            .await?;
        let (name, kept) = (
            random_secret()?,
            serde_json::to_string(self).map_err(Failure::broken)?,
        );
        let until = app.now().saturating_add(KEPT_FOR_MS);
        app.store
            .keep_ticket(TicketKind::LogoutRequest, &name, &kept, until)
            .await?;
        see_other(&format!("{PATH}?request={name}"))
    }

    /// What was kept; nothing when that is too long ago.
    async fn kept(app: &App, name: &str) -> Result<Self, Failure> {
        let kept = app
            .store
            .ticket(TicketKind::LogoutRequest, name, app.now())
            .await?;
        let kept = kept.and_then(|kept| serde_json::from_str(&kept).ok());
        Ok(kept.unwrap_or_default())
    }

    fn hint(&self, app: &App) -> Option<IdTokenClaims> {
        let hint = self.id_token_hint.as_ref()?;
        let verified = app
            .id_token_verifier
            .verify_owned::<IdTokenClaims>(hint, app.now_seconds());
        let claims = verified.ok().map(|verified| verified.claims);
        // §2: of two names neither is believed.
        claims.filter(|claims| self.client_id.as_ref().is_none_or(|id| *id == claims.aud))
    }

    /// Who sends the browser here: the client that the hint was made for, or the one that is named. Not two.
    async fn client(&self, app: &App, hint: Option<&IdTokenClaims>) -> Result<Option<Arc<Client>>, Failure> {
        let id = match (hint, &self.client_id) {
            (Some(hint), Some(id)) if hint.aud != *id => None,
            (Some(hint), _) => Some(&hint.aud),
            (None, id) => id.as_ref(),
        };
        match id {
            Some(id) => Ok(app.client(id).await?),
            None => Ok(None),
        }
    }

    /// LO-01: where to go afterwards, only if that very client is registered with that very address.
    fn back(&self, client: Option<&Client>) -> Option<String> {
        let asked = self.post_logout_redirect_uri.as_ref()?;
        let known = client?.post_logout_redirect_uris.iter().any(|uri| uri == asked);
        let mut uri = url::Url::parse(asked).ok().filter(|_| known)?;
        if let Some(state) = &self.state {
            uri.query_pairs_mut().append_pair("state", state);
        }
        Some(uri.into())
    }
}

async fn show(visitor: Visitor) -> Response {
    let begun = async {
        let query = visitor.query()?;
        let request = match query.optional("request") {
            Some(name) => LogoutRequest::kept(&visitor.app, name).await?,
            None => LogoutRequest::of(&query),
        };
        begin(&visitor, &request).await
    };
    visitor.told(begun.await)
}

/// LO-02: a hint of this very login is word enough, when somebody has checked whose it is; everybody else is asked.
async fn begin(visitor: &Visitor, request: &LogoutRequest) -> Result<Response, Failure> {
    let app = &visitor.app;
    let browser = Browser::read(app, &visitor.headers).await?;
    let hint = request.hint(app);
    let client = request.client(app, hint.as_ref()).await?;
    let is_known = client.as_ref().is_some_and(|client| !client.is_unverified());
    let session = browser.last_session();
    // §2: what the client itself began ends at its word; of another user's it knows nothing.
    let word = hint.as_ref().filter(|_| is_known);
    let word = word.filter(|hint| session.is_none_or(|session| session.user.sub == hint.sub));
    let mut sids: Vec<&str> = word.and_then(|hint| hint.sid.as_deref()).into_iter().collect();
    let is_this_login = match (sids.first(), session) {
        (Some(sid), Some(session)) => app.store.is_within(sid, &session.sid).await?,
        _ => false,
    };
    sids.extend(
        session
            .filter(|_| is_this_login)
            .map(|session| session.sid.as_str()),
    );
    let frames = match word {
        Some(hint) => end(visitor, &hint.sub, &sids).await?,
        None => Vec::new(),
    };
    // Nobody is signed in here any more.
    if session.is_none() || is_this_login {
        return done(visitor, request, Outcome::Left(frames)).await;
    }
    let back = request.back(client.as_deref());
    let back = back.filter(|_| is_known && hint.is_some());
    confirmation(visitor, request, &browser, (back.as_deref(), frames))
}

async fn submit(visitor: Visitor, Filled(form): Filled) -> Response {
    visitor.told(answer(&visitor, form).await)
}

async fn answer(visitor: &Visitor, form: Result<Form, Failure>) -> Result<Response, Failure> {
    let (form, app) = (form?, &visitor.app);
    let request = LogoutRequest::of(&form);
    let Some(token) = form.optional("csrf") else {
        return request.keep(visitor).await;
    };
    // CK-05: the confirmation stands on a page of ours, and nowhere else.
    Origins::new(app.config.issuer.origin(), []).require(&visitor.headers)?;
    let browser = Browser::read(app, &visitor.headers).await?;
    browser.require_form_token(app, SUBJECT, Some(token))?;
    let leaves = form.optional("decision") == Some("logout");
    let outcome = match leaves {
        true => Outcome::Left(leave(visitor, &request, browser.last_session()).await?),
        false => Outcome::Stayed,
    };
    done(visitor, &request, outcome).await
}

/// What was asked about ends: the login in this browser, and what the client itself began, even if the browser is somebody else's by now.
async fn leave(
    visitor: &Visitor,
    request: &LogoutRequest,
    session: Option<&BrowserSession>,
) -> Result<Vec<Frame>, Failure> {
    let app = &visitor.app;
    let hint = request.hint(app);
    let client = request.client(app, hint.as_ref()).await?;
    let is_known = client.is_some_and(|client| !client.is_unverified());
    let word = hint.filter(|_| is_known);
    let own = word.and_then(|hint| Some((hint.sub, hint.sid?)));
    let mut frames = Vec::new();
    if let Some((sub, sid)) = &own {
        frames = end(visitor, sub, &[sid]).await?;
    }
    if let Some(session) = session {
        let others = end(visitor, &session.user.sub, &[&session.sid]).await?;
        frames.extend(others);
    }
    Ok(frames)
}

fn confirmation(
    visitor: &Visitor,
    request: &LogoutRequest,
    browser: &Browser,
    (back, frames): (Option<&str>, Vec<Frame>),
) -> Result<Response, Failure> {
    let app = &visitor.app;
    let fields: Vec<_> = request
        .fields()
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    let content = json!({
        "action": PATH,
        "csrf": browser.form_token(app, SUBJECT)?,
        "fields": fields,
        "frames": frames,
        // Of a login that has lapsed nobody is told whose it was.
        "user": browser.session.as_ref().map(|session| json!({ "email": session.user.email })),
        "client": null,
        "language_links": [],
    });
    let mut view = View::in_language(language(request.ui_locales.as_deref(), &visitor.headers));
    // CN-05: browsers hold the redirect that follows a form to its policy as well.
    let source = back.and_then(|uri| Some(source_of(&url::Url::parse(uri).ok()?)));
    view.sends_to = source.as_deref();
    view.frames = origins(frames);
    let mut response = page(app, "logout.html", &view, &content)?;
    browser.remember(app, &mut response)?;
    Ok(response)
}

/// Sessions end, each with every client's session that began in it and is not to outlive it. The clients that are to be told in frames.
async fn end(visitor: &Visitor, sub: &str, sids: &[&str]) -> Result<Vec<Frame>, Failure> {
    let Visitor { app, caller, .. } = visitor;
    let frames = front_channel::frames(app, sids).await?;
    let strength = end_strength(app);
    for sid in sids {
        let audit = NewAudit {
            session: (*sid).to_owned(),
            ..caller.did(sub, AuditAction::Logout, sid)
        };
        let cut = app.cut(Reason::Logout, audit);
        app.store.end_session(sid, strength, None, &cut).await?;
    }
    Ok(frames)
}

/// Where frames are, each once.
fn origins(frames: Vec<Frame>) -> Vec<String> {
    let origins: BTreeSet<String> = frames.into_iter().map(|frame| frame.origin).collect();
    origins.into_iter().collect()
}

/// What became of the request.
enum Outcome {
    /// The user did not want to.
    Stayed,
    /// Nobody is signed in here any more; these clients are told by the page.
    Left(Vec<Frame>),
}

/// Back to the client, when its hint says who asks and where to is registered; else a page that says what is. A page goes before when
/// clients are told in it (Front-Channel Logout §3).
async fn done(visitor: &Visitor, request: &LogoutRequest, outcome: Outcome) -> Result<Response, Failure> {
    let app = &visitor.app;
    let hint = request.hint(app);
    let client = request.client(app, hint.as_ref()).await?;
    let back = request.back(client.as_deref());
    // D17: a client that nobody has checked sends nobody anywhere: there is a link, and who is behind it.
    let unverified = client.as_ref().is_some_and(|client| client.is_unverified());
    let (stayed, frames) = match outcome {
        Outcome::Stayed => (true, Vec::new()),
        Outcome::Left(frames) => (false, frames),
    };
    let goes_on = back.as_ref().filter(|_| hint.is_some() && !stayed && !unverified);
    let mut response = match goes_on {
        Some(uri) if frames.is_empty() => see_other(uri)?,
        _ => {
            let link = back.as_ref().zip(client.as_ref());
            let link = link.map(|(uri, client)| {
                let host = url::Url::parse(uri).ok();
                let host = host.and_then(|uri| uri.host_str().map(str::to_owned));
                json!({ "url": uri, "name": client.shown_name(), "unverified": unverified, "goes_to": host })
            });
            let content = json!({
                "stayed": stayed, "back": link, "goes_on": goes_on.is_some(), "frames": frames,
                "client": null, "language_links": [], "script": GO_ON,
            });
            let mut view = View::in_language(language(request.ui_locales.as_deref(), &visitor.headers));
            view.frames = origins(frames);
            if goes_on.is_some() {
                let hash = BASE64.encode(&primitive::sha256(GO_ON.as_bytes()));
                view.script_hash = Some(format!("'sha256-{hash}'"));
            }
            page(app, "logged_out.html", &view, &content)?
        }
    };
    if let Some(uri) = goes_on
        && response.status().is_success()
    {
        let refresh = HeaderValue::from_str(&format!("{FRAME_SECONDS}; url={uri}"));
        response
            .headers_mut()
            .insert(header::REFRESH, refresh.map_err(Failure::broken)?);
    }
    if !stayed {
        sign_out(app, &mut response)?;
    }
    Ok(response)
}

/// Browsers begin to count a refresh when every frame has answered: one that never does would hold the browser here.
const GO_ON: &str = "setTimeout(()=>document.getElementById('logged-out-back').click(),3000)";
/// What clients' frames have before the browser goes on.
const FRAME_SECONDS: u32 = 3;
