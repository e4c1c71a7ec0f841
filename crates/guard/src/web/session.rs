//! A login as the cookies hold it: the access token in one, the refresh token in the other, both of one session.
//!
//! Spec: RFC 6265bis §4.1

use carnet_client::cookie;
use carnet_client::seal::random;
use carnet_oauth::token_response::TokenResponse;
use http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Serialize};

use super::app::Web;
use super::asked::Asked;
use super::held::{Access, Held};
use super::whose::Whose;
use crate::auth::Auth;

/// What the cookies of one browser say.
#[derive(Clone)]
pub(super) struct Session {
    /// Its name, new at every login. Forms are bound to it.
    pub(super) id: String,
    pub(super) held: Held,
    /// What its login was asked to be.
    pub(super) asked: Option<Asked>,
    /// `None` of a session from before there was such a thing.
    pub(super) whose: Option<Whose>,
}

#[derive(Serialize, Deserialize)]
struct AccessCookie {
    session: String,
    token: String,
    renew_at: u64,
    expires: u64,
}

#[derive(Serialize, Deserialize)]
struct RefreshCookie {
    session: String,
    token: Option<String>,
    id_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked: Option<Asked>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    whose: Option<Whose>,
}

/// A cookie would be larger than browsers keep, or there is no randomness.
#[derive(Debug)]
pub(super) struct Unkeepable;

impl Session {
    /// A new one, with a name that nobody had before (CK-02).
    pub(super) fn begin(tokens: &TokenResponse, auth: &Auth, nonce: Option<String>) -> Option<Self> {
        Some(Self {
            id: random()?,
            held: Held::begin(tokens, auth),
            asked: None,
            whose: Some(Whose::at_login(auth, nonce)),
        })
    }

    /// What these cookies say. Whatever was not sealed here is as good as none, and so is an access token of another session.
    pub(super) fn read(web: &Web, headers: &HeaderMap) -> Option<Self> {
        let settings = &web.parts.settings;
        let access_name = settings.cookie_name_of(ACCESS);
        let refresh_name = settings.cookie_name_of(REFRESH);
        let (mut access, mut refresh) = (None::<AccessCookie>, None::<RefreshCookie>);
        for (name, value) in cookie::pairs(headers) {
            if access.is_none() && name == access_name {
                access = web.parts.keys.open(ACCESS, value);
            } else if refresh.is_none() && name == refresh_name {
                refresh = web.parts.keys.open(REFRESH, value);
            }
        }
        let refresh = refresh?;
        let access = access.filter(|access| access.session == refresh.session);
        Some(Self {
            id: refresh.session,
            held: Held {
                access: access.map(|cookie| Access {
                    token: cookie.token,
                    renew_at: cookie.renew_at,
                    expires: cookie.expires,
                }),
                refresh: refresh.token,
                id_token: refresh.id_token,
            },
            asked: refresh.asked,
            whose: refresh.whose,
        })
    }

    /// The same login, with the tokens that its refresh token has led to, and with the ID token among them that is to be kept.
    pub(super) fn renewed(&self, tokens: &TokenResponse, auth: &Auth, id_token: Option<String>) -> Self {
        Self {
            id: self.id.clone(),
            held: self.held.renewed(tokens, auth, id_token),
            ..self.clone()
        }
    }

    /// Whether it is not yet time to renew its access token.
    pub(super) fn is_fresh(&self, now: u64) -> bool {
        self.held
            .access
            .as_ref()
            .is_some_and(|access| now < access.renew_at)
    }

    /// What ends the login at the issuer without a question.
    pub(super) fn id_token(&self) -> Option<&str> {
        self.held.id_token.as_deref()
    }

    /// Puts it into the browser.
    pub(super) fn keep(&self, web: &Web, headers: &mut HeaderMap) -> Result<(), Unkeepable> {
        let now = web.now();
        let mut lines = Vec::new();
        if let Some(access) = &self.held.access {
            let cookie = AccessCookie {
                session: self.id.clone(),
                token: access.token.clone(),
                renew_at: access.renew_at,
                expires: access.expires,
            };
            // A minute longer, for clocks that are apart: while the issuer is down, it is the last one.
            let life = access.expires.saturating_sub(now).saturating_add(60);
            lines.push(line(web, ACCESS, (&cookie, life))?);
        }
        let mut cookie = RefreshCookie {
            session: self.id.clone(),
            token: self.held.refresh.clone(),
            id_token: self.held.id_token.clone(),
            asked: self.asked.clone(),
            whose: self.whose.clone(),
        };
        let life = web.parts.settings.keep_for;
        let refresh = line(web, REFRESH, (&cookie, life)).or_else(|_| {
            // Without it, a logout is confirmed at the issuer.
            cookie.id_token = None;
            line(web, REFRESH, (&cookie, life))
        });
        lines.push(refresh?);
        for line in lines {
            headers.append(header::SET_COOKIE, line);
        }
        Ok(())
    }
}

/// Makes the browser forget the login.
pub(super) fn forget(web: &Web, headers: &mut HeaderMap) {
    for what in [ACCESS, REFRESH] {
        let name = web.parts.settings.cookie_name_of(what);
        if let Some(line) = cookie::set(
            web.parts.settings.secure,
            (&name, ""),
            0,
            web.parts.settings.same_site,
        ) {
            headers.append(header::SET_COOKIE, line);
        }
    }
}

fn line(
    web: &Web,
    what: &'static str,
    (cookie, life): (&impl Serialize, u64),
) -> Result<HeaderValue, Unkeepable> {
    let value = web.parts.keys.seal(what, cookie).ok_or(Unkeepable)?;
    let name = web.parts.settings.cookie_name_of(what);
    cookie::set(
        web.parts.settings.secure,
        (&name, &value),
        life,
        web.parts.settings.same_site,
    )
    .ok_or_else(|| {
        tracing::error!(
            cookie = name,
            bytes = value.len(),
            most = cookie::MOST_BYTES,
            "a token is too large for a cookie: let the issuer put less into it"
        );
        Unkeepable
    })
}

const ACCESS: &str = "access";
const REFRESH: &str = "refresh";
