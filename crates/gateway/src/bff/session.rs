//! A session: a cookie that says nothing, and behind it a row that only the cookie opens.
//!
//! Spec: RFC 10017 §6.1.3.2 · RFC 5869 (HKDF)

use carnet_jose::{base64url, primitive};
use carnet_oauth::token_response::TokenResponse;
use carnet_store::{BffSession, NewBffSession};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::app::{Bff, no_store};
use super::cookie::{self, SameSite};
use crate::refusal::Refusal;

/// A browser that is logged in.
#[derive(Clone)]
pub struct Session {
    pub(super) secret: Secret,
    pub(super) row: BffSession,
    pub(super) content: Content,
}

/// What the browser has, and nobody else.
#[derive(Clone)]
pub(super) struct Secret {
    value: Zeroizing<String>,
    pub(super) digest: [u8; 32],
}

/// What is kept under seal.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Content {
    pub(super) access_token: Zeroizing<String>,
    /// Seconds since 1970: from then on it is time for the next.
    pub(super) renew_at: u64,
    /// Seconds since 1970.
    pub(super) expires: u64,
    pub(super) refresh_token: Option<Zeroizing<String>>,
    pub(super) id_token: Option<Zeroizing<String>>,
    /// What the app may know of its user.
    pub(super) claims: Map<String, Value>,
}

impl Secret {
    /// 32 random bytes; `None` when there is no randomness.
    fn new() -> Option<Self> {
        let mut bytes = [0; 32];
        primitive::fill_random(&mut bytes).ok()?;
        Some(Self::of(&base64url::encode(&bytes)))
    }

    fn of(value: &str) -> Self {
        Self {
            value: Zeroizing::new(value.to_owned()),
            digest: primitive::sha256(value.as_bytes()),
        }
    }

    /// Neither the database nor the file with the masters opens a session alone, nor both of them.
    fn key(&self, master: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
        let mut key = Zeroizing::new([0; 32]);
        let info = b"carnet bff session";
        primitive::hkdf_sha256(master, self.value.as_bytes(), info, &mut *key).ok()?;
        Some(key)
    }

    fn seal(&self, bff: &Bff, content: &Content) -> Option<Vec<u8>> {
        let plain = Zeroizing::new(serde_json::to_vec(content).ok()?);
        let key = self.key(bff.parts.masters.first()?)?;
        primitive::seal(&key, &self.digest, &plain).ok()
    }

    fn open(&self, bff: &Bff, sealed: &[u8]) -> Option<Content> {
        let keys = bff.parts.masters.iter().filter_map(|master| self.key(master));
        let mut opened = keys.filter_map(|key| primitive::open(&key, &self.digest, sealed).ok());
        serde_json::from_slice(&opened.next()?).ok()
    }

    /// What a link of this session proves with, so that nobody else's link ends it.
    pub(super) fn proof(&self, bff: &Bff) -> Option<String> {
        let key = self.key(bff.parts.masters.first()?)?;
        let mac = primitive::hmac_sha256(&*key, &[b"logout"]);
        Some(base64url::encode(&mac))
    }
}

impl Content {
    pub(super) fn new(tokens: &TokenResponse, claims: Map<String, Value>, now: u64) -> Self {
        let (renew_at, expires) = times(tokens, now);
        let secret = |token: &Option<String>| token.clone().map(Zeroizing::new);
        Self {
            access_token: Zeroizing::new(tokens.access_token.clone()),
            renew_at,
            expires,
            refresh_token: secret(&tokens.refresh_token),
            id_token: secret(&tokens.id_token),
            claims,
        }
    }

    /// The same login with the next tokens.
    pub(super) fn renewed(&self, tokens: &TokenResponse, now: u64) -> Self {
        let mut next = Self::new(tokens, self.claims.clone(), now);
        // RFC 6749 §6: no new one means that the old one goes on.
        next.refresh_token = next.refresh_token.or_else(|| self.refresh_token.clone());
        next.id_token = next.id_token.or_else(|| self.id_token.clone());
        next
    }
}

/// A minute before the end, or a tenth of the life of a token: whichever is more, and never more than half of it.
fn times(tokens: &TokenResponse, now: u64) -> (u64, u64) {
    let life = match tokens.expires_in {
        0 => UNSAID_SECONDS,
        seconds => seconds,
    };
    let early = (life / 10).max(60).min(life / 2);
    let expires = now.saturating_add(life);
    (expires.saturating_sub(early), expires)
}

impl Bff {
    /// Keeps a login that was good: its secret, for a new cookie.
    pub(super) async fn keep(
        &self,
        content: &Content,
        (sub, sid): (&str, &str),
        headers: &HeaderMap,
    ) -> Result<Secret, Refusal> {
        let secret = Secret::new().ok_or(BROKEN)?;
        let agent = headers
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok());
        let now = self.now_ms();
        let new = NewBffSession {
            digest: secret.digest,
            client_id: self.parts.settings.client_id.clone(),
            sub: sub.to_owned(),
            sid: sid.to_owned(),
            user_agent: agent.unwrap_or_default().chars().take(200).collect(),
            absolute_expires_at: now.saturating_add(self.parts.settings.absolute_ms),
            sealed: secret.seal(self, content).ok_or(BROKEN)?,
        };
        let kept = self.parts.store.begin_bff_session(&new, now).await;
        kept.map_err(|error| no_store(&error))?;
        Ok(secret)
    }

    /// The session of a browser.
    pub(super) async fn session(&self, headers: &HeaderMap) -> Result<Session, Refusal> {
        let name = self.parts.settings.cookie_name("");
        for value in cookie::values(headers, &name).filter(|value| value.len() == SECRET_LENGTH) {
            if let Some(session) = self.load(Secret::of(value)).await? {
                return Ok(session);
            }
        }
        Err(NOBODY)
    }

    /// The session of this secret, as it is now.
    pub(super) async fn load(&self, secret: Secret) -> Result<Option<Session>, Refusal> {
        let times = (self.now_ms(), self.parts.settings.idle_ms);
        let row = self.parts.store.bff_session(&secret.digest, times).await;
        let Some(row) = row.map_err(|error| no_store(&error))? else {
            return Ok(None);
        };
        let content = secret.open(self, &row.sealed);
        if content.is_none() {
            tracing::warn!("a session was sealed under a key that is gone");
        }
        Ok(content.map(|content| Session { secret, row, content }))
    }

    /// Seals what comes next into the session, when it is still the one that was read. Says whether it was.
    pub(super) async fn replace(&self, session: &Session, next: &Content) -> Result<bool, Refusal> {
        let sealed = session.secret.seal(self, next).ok_or(BROKEN)?;
        let of_version = (session.row.version, sealed);
        let renewed = self
            .parts
            .store
            .renew_bff_session(&session.secret.digest, of_version)
            .await;
        renewed.map_err(|error| no_store(&error))
    }

    /// The session is in use. Written once a minute at most.
    pub(super) async fn touch(&self, session: &Session) -> Result<(), Refusal> {
        let now = self.now_ms();
        if session.row.used && now < session.row.last_seen_at.saturating_add(MINUTE_MS) {
            return Ok(());
        }
        let touched = self
            .parts
            .store
            .touch_bff_session(&session.secret.digest, now)
            .await;
        touched.map_err(|error| no_store(&error))
    }

    /// `Set-Cookie` of a session that has begun.
    pub(super) fn cookie_of(&self, secret: &Secret) -> Option<HeaderValue> {
        let settings = &self.parts.settings;
        let life = u64::try_from(settings.absolute_ms / 1000).unwrap_or_default();
        let name = settings.cookie_name("");
        cookie::set(settings, (&name, &secret.value), life, SameSite::Strict)
    }

    /// `Set-Cookie` that makes a browser forget it.
    pub(super) fn no_cookie(&self) -> Option<HeaderValue> {
        let settings = &self.parts.settings;
        cookie::set(settings, (&settings.cookie_name(""), ""), 0, SameSite::Strict)
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// 32 bytes in base64url.
const SECRET_LENGTH: usize = 43;
const MINUTE_MS: i64 = 60_000;
/// RFC 6749 §5.1 lets a server not say how long a token lives.
const UNSAID_SECONDS: u64 = 300;

pub(super) const NOBODY: Refusal = Refusal::new(
    StatusCode::UNAUTHORIZED,
    "session_missing",
    "nobody is logged in here, or the session has ended",
);
pub(super) const BROKEN: Refusal = Refusal::new(
    StatusCode::INTERNAL_SERVER_ERROR,
    "server_error",
    "something is wrong here; it is in the log",
);
