//! A page that asks somebody something on the way: whose browser, which request, for which client, in which language.

use std::sync::Arc;

use carnet_store::{BrowserSession, GrantKey};
use http::StatusCode;
use serde_json::{Value, json};
use url::Url;

use super::kept::{Door, Kept};
use crate::app::App;
use crate::browser::Browser;
use crate::client::Client;
use crate::http::failure::{Failure, Refusal};
use crate::http::form::Form;
use crate::http::page::{View, language};
use crate::http::visitor::Visitor;
use crate::pages::{LANGUAGES, Language};

/// Everything such a page is made of.
pub(crate) struct Asking {
    pub(crate) browser: Browser,
    pub(crate) kept: Kept,
    pub(crate) client: Arc<Client>,
    pub(crate) language: Language,
}

impl Asking {
    /// The page that an address or a form is about. `door`: a page that is there for what began at one door alone.
    pub(crate) async fn of(visitor: &Visitor, form: &Form, door: Option<Door>) -> Result<Self, Failure> {
        let (app, headers) = (&visitor.app, &visitor.headers);
        let browser = Browser::read(app, headers).await?;
        let mut kept = Kept::find(app, &browser, (form.optional("interaction"), door)).await?;
        let chosen = form.optional("lang").map(str::to_owned);
        if chosen.is_some() && chosen != kept.interaction.language {
            kept.interaction.language = chosen;
            kept.save(app).await?;
        }
        let chosen = kept.interaction.language.as_deref();
        let wanted = chosen.or_else(|| kept.parameter("ui_locales"));
        let language = language(wanted, headers);
        visitor.speak(language);
        let client = match kept.interaction.door {
            // Our own pages ask: they are no client's.
            Door::Account => app.directory.first_party(),
            Door::Authorize | Door::Device => app.client(&kept.interaction.about.client_id).await?,
        };
        let client = client.ok_or_else(unknown_client)?;
        visitor.comes_from(&client, language);
        Ok(Self {
            language,
            client,
            browser,
            kept,
        })
    }

    /// The form of such a page, as it was filled in. It must be one of ours.
    pub(crate) async fn answered(
        visitor: &Visitor,
        form: &Form,
        door: Option<Door>,
    ) -> Result<Self, Failure> {
        let asking = Self::of(visitor, form, door).await?;
        let presented = form.optional("csrf");
        asking
            .browser
            .require_form_token(&visitor.app, &asking.kept.id, presented)?;
        Ok(asking)
    }

    /// The session of the account that the form was shown to, if it is still the one that is signed in.
    pub(crate) fn shown_account(&self, form: &Form) -> Option<&BrowserSession> {
        let session = self.browser.session.as_ref()?;
        (form.optional("account") == Some(&session.user.sub)).then_some(session)
    }

    /// The client has changed since its request was looked at: a page would show half of each. Where it came in, it is looked at again.
    pub(crate) fn is_outdated(&self) -> bool {
        self.client.changed_at != self.kept.interaction.about.client_changed_at
    }

    /// What a yes in this session is about.
    pub(crate) fn grant_key<'a>(&'a self, session: &BrowserSession) -> GrantKey<'a> {
        GrantKey {
            user: session.user.id,
            client_id: &self.client.id,
            audience: &self.kept.interaction.about.audience,
        }
    }

    pub(crate) fn view(&self) -> View<'_> {
        let sends_to = self.kept.interaction.about.sends_to.as_str();
        View {
            sends_to: (!sends_to.is_empty()).then_some(sends_to),
            ..View::in_language(self.language)
        }
    }

    /// What every such page shows, and what its form carries.
    pub(crate) fn common(&self, app: &App, path: &str) -> Result<Value, Failure> {
        let link = |language: Language| {
            json!({
                "lang": language.tag,
                "label": language.label,
                "url": format!("{path}?interaction={}&lang={}", self.kept.id, language.tag),
                "current": language == self.language,
            })
        };
        Ok(json!({
            "action": path,
            "csrf": self.browser.form_token(app, &self.kept.id)?,
            "interaction": self.kept.id,
            "client": self.client_shown(),
            "language_links": LANGUAGES.map(link),
            "apps_url": format!("/account/apps?lang={}", self.language.tag),
        }))
    }

    fn client_shown(&self) -> Value {
        if self.kept.interaction.door == Door::Account {
            return Value::Null;
        }
        let (client, goes_to) = (&self.client, self.goes_to());
        // CN-04: what a client says of itself alone leads nowhere but to where its answers go.
        let sound =
            |uri: &&String| !client.is_unverified() || host_of(uri).is_some_and(|host| Some(host) == goes_to);
        let uri = client.uri.as_ref().filter(sound);
        json!({
            "name": client.shown_name_in(self.language.tag),
            "logo": client.logo_uri.as_ref().filter(sound),
            // Some host is in plain sight, whether or not the operator has named one.
            "host": uri.and_then(|uri| host_of(uri)).or_else(|| goes_to.clone()),
            "uri": uri,
            "policy_uri": client.policy_uri.as_ref().filter(sound),
            "tos_uri": client.tos_uri.as_ref().filter(sound),
            "unverified": client.is_unverified(),
            "goes_to": goes_to,
        })
    }

    /// The host that the answer goes to, or the scheme of an app; a device gets its answer itself.
    fn goes_to(&self) -> Option<String> {
        let address = self.kept.interaction.about.goes_to.as_deref()?;
        host_of(address).or_else(|| Some(Url::parse(address).ok()?.scheme().to_owned()))
    }
}

fn host_of(uri: &str) -> Option<String> {
    Url::parse(uri).ok()?.host_str().map(str::to_owned)
}

/// `page` with what it shows beside what all show.
pub(crate) fn with(mut common: Value, own: Value) -> Value {
    if let (Some(common), Value::Object(own)) = (common.as_object_mut(), own) {
        common.extend(own);
    }
    common
}

/// Whoever asked is not there, or not any more.
pub(crate) fn unknown_client() -> Refusal {
    const REASON: &str = "there is no client of this client_id, or it was disabled";
    Refusal::new(StatusCode::BAD_REQUEST, "unknown_client", REASON)
}
