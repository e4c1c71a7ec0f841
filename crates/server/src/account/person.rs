//! Whoever is signed in at their own pages, and what all of these have in common.

use axum::response::Response;
use carnet_store::{AuditAction, BrowserSession, Cut, NewAudit, Reason};
use serde::Serialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::browser::Browser;
use crate::http::failure::Failure;
use crate::http::form::Form;
use crate::http::page::{View, language, page, see_other};
use crate::http::visitor::Visitor;
use crate::interaction::{About, Door, Interaction, Request, with};
use crate::pages::{LANGUAGES, Language};
use crate::throttle::Attempt;

/// Somebody at their own pages.
pub(super) struct Person {
    browser: Browser,
    /// The session of this browser.
    pub(super) session: BrowserSession,
    /// As the page says it.
    language: Language,
    /// As it was chosen on a page.
    chosen: Option<String>,
}

impl Person {
    /// Who is signed in; `None` when nobody is.
    pub(super) async fn of(visitor: &Visitor, form: &Form) -> Result<Option<Self>, Failure> {
        let mut browser = Browser::read(&visitor.app, &visitor.headers).await?;
        let Some(session) = browser.session.take() else {
            return Ok(None);
        };
        let now = visitor.app.now();
        visitor.app.store.touch_browser_session(&session.sid, now).await?;
        let chosen = form
            .optional("lang")
            .and_then(|tag| LANGUAGES.into_iter().find(|one| one.tag == tag));
        Ok(Some(Self {
            language: chosen.unwrap_or_else(|| language(None, &visitor.headers)),
            chosen: chosen.map(|chosen| chosen.tag.to_owned()),
            browser,
            session,
        }))
    }

    /// As [`Person::of`], with the form of a page that was made for this very session (CK-05).
    pub(super) async fn decided(visitor: &Visitor, form: &Form) -> Result<Option<Self>, Failure> {
        let person = Self::of(visitor, form).await?;
        if let Some(person) = &person {
            let presented = form.optional("csrf");
            person
                .browser
                .require_form_token(&visitor.app, &person.subject(), presented)?;
        }
        Ok(person)
    }

    fn subject(&self) -> String {
        format!("account\0{}", self.session.sid)
    }

    /// The address of one of these pages, in the language that was chosen.
    pub(super) fn link(&self, path: &str, parameters: &[(&str, &str)]) -> String {
        let lang = self.chosen.as_deref().map(|tag| ("lang", tag));
        address(path, parameters.iter().copied().chain(lang))
    }

    /// A page of theirs at this address.
    pub(super) fn page(
        &self,
        app: &App,
        (template, path): (&str, &str),
        (parameters, own): (&[(&str, &str)], &impl Serialize),
    ) -> Result<Response, Failure> {
        let link = |language: Language| {
            let lang = [("lang", language.tag)];
            json!({
                "lang": language.tag,
                "label": language.label,
                "url": address(path, parameters.iter().copied().chain(lang)),
                "current": language == self.language,
            })
        };
        let user = &self.session.user;
        let common = json!({
            "action": path,
            "csrf": self.browser.form_token(app, &self.subject())?,
            "chosen_language": self.chosen,
            "client": null,
            "language_links": LANGUAGES.map(link),
            "user": { "name": user.name, "email": user.email },
            "sessions_url": self.link("/account/sessions", &[]),
            "apps_url": self.link("/account/apps", &[]),
        });
        let own: Value = serde_json::to_value(own).map_err(Failure::broken)?;
        let mut response = page(
            app,
            template,
            &View::in_language(self.language),
            &with(common, own),
        )?;
        self.browser.remember(app, &mut response)?;
        Ok(response)
    }

    /// How something of theirs ends now, on their own word.
    pub(super) fn cut(
        &self,
        visitor: &Visitor,
        (reason, action): (Reason, AuditAction),
        object: &str,
    ) -> Cut {
        let audit = NewAudit {
            session: self.session.sid.clone(),
            ..visitor.caller.did(&self.session.user.sub, action, object)
        };
        visitor.app.cut(reason, audit)
    }
}

/// Nobody is signed in: the login page, which leads back to this page of the account.
pub(super) async fn sign_in(visitor: &Visitor, path: &str) -> Result<Response, Failure> {
    let app = &visitor.app;
    let browser = Browser::read(app, &visitor.headers).await?;
    Attempt::authorization(app, visitor.caller.address)?
        .count(app)
        .await?;
    let asked = Request {
        parameters: vec![("path".to_owned(), path.to_owned())],
        pushed: None,
    };
    let interaction = Interaction::of(asked, About::default()).through(Door::Account);
    let kept = interaction.keep(app, Some(&browser)).await?;
    let mut response = see_other(&format!("/login?interaction={}", kept.id))?;
    browser.remember(app, &mut response)?;
    Ok(response)
}

fn address<'a>(path: &str, parameters: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let query = query.extend_pairs(parameters).finish();
    let between = if query.is_empty() { "" } else { "?" };
    format!("{path}{between}{query}")
}
