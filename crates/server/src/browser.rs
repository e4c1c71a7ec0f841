//! A person's browser at our pages: who it is, who is signed in there, and that a form was ours.
//!
//! Spec: RFC 6265bis §4.1.3 (`__Host-`) · RFC 9700 §4.7.1 (CSRF) · OpenID Connect Core §3.1.2.3

use axum::response::Response;
use carnet_jose::{base64url, primitive};
use carnet_store::{BrowserSession, Strength};
use http::{HeaderMap, header};

use crate::app::App;
use crate::config::LogoutStrength;
use crate::http::cookie::{self, Cookie, SameSite};
use crate::http::failure::{Failure, Refusal};
use crate::master_key::Purpose;
use crate::token::code::random_secret;

/// A browser, and who is signed in there.
pub(crate) struct Browser {
    /// A random name that only this browser knows. Forms and interactions belong to it.
    id: String,
    /// It has no name of ours yet: the answer gives it this one.
    is_new: bool,
    /// Who is signed in.
    pub(crate) session: Option<BrowserSession>,
    /// Who was: that login has rested or lived too long, or the browser never got the name of the one that took its place. What clients began in it
    /// may go on. It counts as nobody's but ends with the next login or logout here.
    lapsed: Option<BrowserSession>,
}

impl Browser {
    /// Reads both cookies; whatever is not ours is as good as none.
    pub(crate) async fn read(app: &App, headers: &HeaderMap) -> Result<Self, Failure> {
        let known = cookie::read(headers, browser_cookie(app))?;
        let known = known.filter(|id| id.len() == ID_CHARACTERS && base64url::decode(id).is_ok());
        let (id, is_new) = match known {
            Some(id) => (id.to_owned(), false),
            None => (random_secret()?, true),
        };
        let sid = cookie::read(headers, session_cookie(app))?.and_then(|value| open(app, value));
        let session = match &sid {
            Some(sid) => app.store.browser_session(sid).await?,
            None => None,
        };
        let now = app.now();
        let tokens = &app.config.tokens;
        // As long as a login lives elsewhere: so long unused, so long at all.
        let lives = |session: &BrowserSession| {
            now < session.last_seen_at.saturating_add(tokens.refresh_idle.millis())
                && now
                    < session
                        .created_at
                        .saturating_add(tokens.refresh_absolute.millis())
        };
        let (session, lapsed) = match (session, &sid) {
            (Some(session), _) if lives(&session) => (Some(session), None),
            (None, Some(sid)) => (None, app.store.browser_session_after(sid).await?),
            (lapsed, _) => (None, lapsed),
        };
        // The browser knows its name: whoever has an older one has nothing of it any more (CK-02).
        if let Some(session) = session
            .as_ref()
            .filter(|session| session.last_seen_at == session.created_at)
        {
            let seen = now.max(session.created_at.saturating_add(1));
            app.store.touch_browser_session(&session.sid, seen).await?;
        }
        Ok(Self {
            id,
            is_new,
            session,
            lapsed,
        })
    }

    /// The login that another one here replaces, or a logout ends: the one that lives, or the one that has lapsed.
    pub(crate) fn last_session(&self) -> Option<&BrowserSession> {
        self.session.as_ref().or(self.lapsed.as_ref())
    }

    /// What stands for the browser in the store: no leak of it names a cookie.
    pub(crate) fn digest(&self) -> String {
        base64url::encode(&primitive::sha256(self.id.as_bytes()))
    }

    /// The proof that a form about `subject` was made for this browser.
    pub(crate) fn form_token(&self, app: &App, subject: &str) -> Result<String, Failure> {
        let parts: [&[u8]; 3] = [self.id.as_bytes(), b"\0form\0", subject.as_bytes()];
        Ok(base64url::encode(&mac(app, app.master.current(), &parts)?))
    }

    /// CK-05: a form counts only with the token that we put into it.
    pub(crate) fn require_form_token(
        &self,
        app: &App,
        subject: &str,
        presented: Option<&str>,
    ) -> Result<(), Failure> {
        let expected = self.form_token(app, subject)?;
        let right =
            presented.is_some_and(|token| primitive::verify_equal(expected.as_bytes(), token.as_bytes()));
        if right && !self.is_new {
            Ok(())
        } else {
            Err(foreign_form().into())
        }
    }

    /// Gives the browser its name, when it has none.
    pub(crate) fn remember(&self, app: &App, response: &mut Response) -> Result<(), Failure> {
        if self.is_new {
            set(app, response, (browser_cookie(app), &self.id), YEAR_SECONDS)?;
        }
        Ok(())
    }
}

/// Signs the browser in. A new session has a new name (CK-02).
pub(crate) fn sign_in(app: &App, response: &mut Response, sid: &str) -> Result<(), Failure> {
    let sealed = seal(app, app.master.current(), sid)?;
    let value = format!("{sid}.{}.{sealed}", app.master.current());
    let max_age = app.config.tokens.refresh_absolute.millis() / 1000;
    set(app, response, (session_cookie(app), &value), max_age)
}

/// What ends with a login at the pages. The cookie alone is not enough: it is in the browser that the sessions of several clients hang together.
pub(crate) fn end_strength(app: &App) -> Strength {
    match app.config.login.logout_strength {
        LogoutStrength::Denylist => Strength::DenyList,
        LogoutStrength::Refresh | LogoutStrength::Cookie => Strength::RefreshOnly,
    }
}

/// Makes the browser forget who was signed in.
pub(crate) fn sign_out(app: &App, response: &mut Response) -> Result<(), Failure> {
    set(app, response, (session_cookie(app), ""), 0)
}

pub(crate) fn foreign_form() -> Refusal {
    const REASON: &str = "the form was not made for this browser, or its cookies are gone";
    Refusal::new(http::StatusCode::FORBIDDEN, "foreign_form", REASON)
}

const ID_CHARACTERS: usize = 43;
const YEAR_SECONDS: i64 = 365 * 86_400;

/// `sid.KEY.MAC`: the name of a session, which a stolen database has, is not enough.
fn open(app: &App, value: &str) -> Option<String> {
    let mut parts = value.split('.');
    let (sid, key, presented, end) = (parts.next()?, parts.next()?, parts.next()?, parts.next());
    let expected = seal(app, key, sid).ok()?;
    let right = primitive::verify_equal(expected.as_bytes(), presented.as_bytes());
    (right && end.is_none()).then(|| sid.to_owned())
}

fn seal(app: &App, key: &str, sid: &str) -> Result<String, Failure> {
    let parts: [&[u8]; 2] = [b"session\0", sid.as_bytes()];
    Ok(base64url::encode(&mac(app, key, &parts)?))
}

fn mac(app: &App, key: &str, parts: &[&[u8]]) -> Result<[u8; 32], Failure> {
    let secret = app.master.derive(key, Purpose::BrowserCookie);
    let secret = secret.ok_or_else(|| Failure::broken(format!("the master key {key} is not in the file")))?;
    Ok(primitive::hmac_sha256(secret.as_slice(), parts))
}

fn session_cookie(app: &App) -> &'static str {
    cookie::name(app, "__Host-session", "carnet_session")
}

fn browser_cookie(app: &App) -> &'static str {
    cookie::name(app, "__Host-browser", "carnet_browser")
}

/// Lax: an app sends people here by a link, and they should be known then.
fn set(app: &App, response: &mut Response, (name, value): (&str, &str), max_age: i64) -> Result<(), Failure> {
    let cookie = Cookie {
        name,
        value,
        path: "/",
        max_age,
        secure: app.config.issuer.is_https(),
        same_site: SameSite::Lax,
    };
    response
        .headers_mut()
        .append(header::SET_COOKIE, cookie.header()?);
    Ok(())
}
