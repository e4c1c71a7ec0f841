//! What is kept of a request while people log in and decide. It stays here; the browser holds only its name.
//!
//! Spec: RFC 6749 §4.1.1 · OpenID Connect Core §3.1.2.2

use carnet_oauth::extent::Extent;
use carnet_store::{Redeemed, TicketKind};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::browser::Browser;
use crate::config::Ttl;
use crate::http::failure::{Failure, Refusal};
use crate::token::code::random_secret;

/// How long somebody may take to log in and to decide.
pub(crate) const LIFE: Ttl = Ttl::minutes(60);

/// Where an authorization request goes on.
pub(crate) const RESUME_PATH: &str = "/oauth/authorize/resume";

/// What has been asked for, and what has come of it so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Interaction {
    /// The request as it came. AZ-07: no form changes it.
    pub(crate) request: Request,
    /// What the pages show of it.
    pub(crate) about: About,
    /// Where it came in, and where pages lead back to.
    #[serde(default)]
    pub(crate) door: Door,
    /// The browser that it belongs to. None as long as another site's form has only just brought it.
    browser: Option<String>,
    /// The language that was chosen on a page.
    pub(crate) language: Option<String>,
    /// The session that was begun here, when somebody has logged in for this request.
    pub(crate) logged_in: Option<String>,
    /// The session whose account was chosen.
    pub(crate) account_chosen: Option<String>,
    /// Who is signed in is to log in again, as whomever.
    pub(crate) wants_login: bool,
    /// What was allowed, and in which session: one person's yes is not another's.
    pub(crate) allowed: Option<(String, Extent)>,
    /// The user does not want to.
    pub(crate) refused: bool,
}

/// An authorization request.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Request {
    /// In the order in which they came.
    pub(crate) parameters: Vec<(String, String)>,
    /// The name under which the client has pushed it (RFC 9126); none when a browser brought it.
    pub(crate) pushed: Option<String>,
}

/// Where an interaction began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Door {
    /// The authorization endpoint.
    #[default]
    Authorize,
    /// The page for user codes (RFC 8628 §3.3).
    Device,
    /// A person's own pages: no client asks.
    Account,
}

/// What a request is about, as it was checked. What is shown of it is what is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    /// Who asks.
    pub(crate) client_id: String,
    /// When that client had last changed by then: its name and its links are read where they are shown.
    #[serde(default)]
    pub(crate) client_changed_at: i64,
    /// For what.
    pub(crate) extent: Extent,
    /// At which resource.
    pub(crate) audience: String,
    /// The address that the answer goes to, as it was compared with what is registered; none when it goes to nobody by the browser.
    #[serde(default)]
    pub(crate) goes_to: Option<String>,
    /// Where the browser is sent afterwards, as a policy names it; empty when it stays here.
    pub(crate) sends_to: String,
    /// Whether what is allowed may be remembered.
    pub(crate) may_remember: bool,
    /// Whether it says itself whose account it is about.
    #[serde(default)]
    pub(crate) names_account: bool,
}

/// An interaction and its name.
pub(crate) struct Kept {
    pub(crate) id: String,
    pub(crate) interaction: Interaction,
}

impl Request {
    /// The first value of a parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Interaction {
    pub(crate) fn of(request: Request, about: About) -> Self {
        Self {
            request,
            about,
            ..Self::default()
        }
    }

    /// Whether a person has done anything on the way.
    pub(crate) fn somebody_acted(&self) -> bool {
        let said = [&self.logged_in, &self.account_chosen];
        self.refused || self.wants_login || self.allowed.is_some() || said.into_iter().any(Option::is_some)
    }

    /// It began elsewhere than at the authorization endpoint.
    pub(crate) fn through(self, door: Door) -> Self {
        Self { door, ..self }
    }

    /// Keeps it for this browser; for whoever comes first when there is none.
    pub(crate) async fn keep(mut self, app: &App, browser: Option<&Browser>) -> Result<Kept, Failure> {
        self.browser = browser.map(Browser::digest);
        let id = random_secret()?;
        let expires_at = app.now().saturating_add(LIFE.millis());
        app.store
            .keep_ticket(TicketKind::Interaction, &id, &json(&self)?, expires_at)
            .await?;
        Ok(Kept {
            id,
            interaction: self,
        })
    }
}

impl Kept {
    /// The interaction of this name, if it is this browser's and began at this door; at any, when none is named.
    pub(crate) async fn find(
        app: &App,
        browser: &Browser,
        (id, door): (Option<&str>, Option<Door>),
    ) -> Result<Self, Failure> {
        let id = id.ok_or_else(gone)?;
        let payload = app.store.ticket(TicketKind::Interaction, id, app.now()).await?;
        let Some(payload) = payload else {
            let is_over = app.store.is_redeemed(TicketKind::Interaction, id).await?;
            return Err(if is_over { finished() } else { gone() }.into());
        };
        // Kept by another version of this program: begun anew is soon done.
        let interaction: Interaction = serde_json::from_str(&payload).map_err(|_| gone())?;
        // AZ-07, DV-01: what stands in a request of one door is not believed at another.
        if door.is_some_and(|door| door != interaction.door) {
            return Err(gone().into());
        }
        let mut kept = Self {
            id: id.to_owned(),
            interaction,
        };
        match &kept.interaction.browser {
            Some(owner) if *owner == browser.digest() => Ok(kept),
            // Somebody has sent a link: whoever logs in there would log in for another.
            Some(_) => Err(foreign_browser().into()),
            None => {
                kept.interaction.browser = Some(browser.digest());
                kept.save(app).await?;
                Ok(kept)
            }
        }
    }

    /// The same, about what the request means by now. What was said to something else does not count, and no page that shows that leads on.
    pub(crate) async fn renewed(self, app: &App, browser: &Browser, about: About) -> Result<Self, Failure> {
        if self.interaction.about == about {
            return Ok(self);
        }
        self.finish(app).await?;
        let anew = Interaction {
            about,
            allowed: None,
            refused: false,
            ..self.interaction
        };
        anew.keep(app, Some(browser)).await
    }

    /// Notes what has come of it.
    pub(crate) async fn save(&self, app: &App) -> Result<(), Failure> {
        let payload = json(&self.interaction)?;
        let kept = app
            .store
            .amend_ticket(TicketKind::Interaction, &self.id, &payload, app.now())
            .await?;
        if kept { Ok(()) } else { Err(gone().into()) }
    }

    /// It has led to its answer. Of two tabs, one gets it.
    pub(crate) async fn finish(&self, app: &App) -> Result<(), Failure> {
        match app
            .store
            .redeem_ticket(TicketKind::Interaction, &self.id, app.now())
            .await?
        {
            Redeemed::Fresh(_) => Ok(()),
            Redeemed::Again(_) => Err(finished().into()),
            Redeemed::Unknown => Err(gone().into()),
        }
    }

    /// A parameter of the request.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.interaction.request.parameter(name)
    }

    /// Where the browser goes on.
    pub(crate) fn resume(&self) -> String {
        let path = match self.interaction.door {
            // Not where apps send people: a parameter of theirs may have any name.
            Door::Authorize => RESUME_PATH,
            Door::Device => "/device",
            Door::Account => match self.parameter("path") {
                Some("/account/apps") => "/account/apps",
                _ => "/account/sessions",
            },
        };
        format!("{path}?interaction={}", self.id)
    }
}

fn json(interaction: &Interaction) -> Result<String, Failure> {
    serde_json::to_string(interaction).map_err(Failure::broken)
}

fn gone() -> Refusal {
    const REASON: &str = "this sign-in was begun more than an hour ago, or never here";
    Refusal::new(StatusCode::BAD_REQUEST, "interaction_expired", REASON)
}

fn finished() -> Refusal {
    const REASON: &str = "this sign-in was finished before, or a newer page has taken its place";
    Refusal::new(StatusCode::BAD_REQUEST, "interaction_finished", REASON)
}

fn foreign_browser() -> Refusal {
    const REASON: &str = "this sign-in was begun in another browser, or this one did not keep its cookie";
    Refusal::new(StatusCode::FORBIDDEN, "foreign_browser", REASON)
}
