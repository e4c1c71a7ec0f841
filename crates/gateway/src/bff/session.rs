//! A session: a cookie that says nothing, and behind it a row that only the cookie opens.
//!
//! Spec: RFC 10017 §6.1.3.2 · RFC 5869 (HKDF)

use carnet_client::cookie::{self, SameSite};
use carnet_jose::{base64url, primitive};
use carnet_oauth::token_response::TokenResponse;
use carnet_store::{BffSession, NewBffSession};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::app::{Bff, no_store};
use crate::refusal::{Refusal, broken};

/// A browser that is logged in.
#[derive(Clone)]
pub struct Session {
    pub(super) secret: Secret,
    pub(super) row: BffSession,
    pub(super) content: Content,
    /// What the browser has of a session that it carries itself.
    pub(super) carried: Option<Carried>,
}

/// What of a session that it carries itself a browser has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carried {
    pub(super) generation: u64,
    /// Milliseconds since 1970: when it was last used, as far as the browser knows.
    pub(super) seen: i64,
}

/// What the browser has, and nobody else.
#[derive(Clone)]
pub(super) struct Secret {
    pub(super) value: Zeroizing<String>,
    pub(super) digest: [u8; 32],
}

/// What is kept under seal.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Content {
    pub(super) access_token: Zeroizing<String>,
    /// Seconds since 1970: when it came.
    #[serde(default)]
    pub(super) issued_at: u64,
    /// Seconds since 1970: from then on it is time for the next.
    pub(super) renew_at: u64,
    /// Seconds since 1970.
    pub(super) expires: u64,
    pub(super) refresh_token: Option<Zeroizing<String>>,
    pub(super) id_token: Option<Zeroizing<String>>,
    /// What the app may know of its user.
    pub(super) claims: Map<String, Value>,
    /// What the ID token of the login repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nonce: Option<String>,
    /// Grows with every refresh.
    #[serde(default)]
    pub(super) generation: u64,
}

/// What is kept of an ID token.
pub(super) struct Told {
    /// What the app may know.
    pub(super) claims: Map<String, Value>,
    /// What later ID tokens must not contradict.
    pub(super) nonce: Option<String>,
}

impl Secret {
    /// Of a login: whoever has both its sealed beginning and the code that ended it finds the same, at whichever replica; nobody else finds anything.
    pub(super) fn of_login(seed: &str, code: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        let info = b"carnet bff cookie";
        primitive::hkdf_sha256(seed.as_bytes(), code.as_bytes(), info, &mut *bytes).ok()?;
        Some(Self::of(&base64url::encode(&*bytes)))
    }

    pub(super) fn of(value: &str) -> Self {
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

    pub(super) fn seal(&self, bff: &Bff, content: &Content) -> Option<Vec<u8>> {
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
        self.proofs(bff).next()
    }

    /// Whether a link of this session says this: also one that a page has had since before there was another key.
    pub(super) fn is_proven_by(&self, bff: &Bff, said: &str) -> bool {
        let mut proofs = self.proofs(bff);
        proofs.any(|proof| primitive::verify_equal(said.as_bytes(), proof.as_bytes()))
    }

    fn proofs<'a>(&'a self, bff: &'a Bff) -> impl Iterator<Item = String> + 'a {
        let keys = bff.parts.masters.iter().filter_map(|master| self.key(master));
        keys.map(|key| base64url::encode(&primitive::hmac_sha256(&*key, &[b"logout"])))
    }
}

impl Session {
    /// Whether the browser that carries it has older tokens than these.
    pub(super) fn is_ahead(&self) -> bool {
        let carried = self.carried.as_ref();
        carried.is_some_and(|carried| carried.generation != self.content.generation)
    }
}

impl Content {
    pub(super) fn new(tokens: &TokenResponse, told: Told, now: u64) -> Self {
        let (renew_at, expires) = times(tokens, now);
        let secret = |token: &Option<String>| token.clone().map(Zeroizing::new);
        Self {
            access_token: Zeroizing::new(tokens.access_token.clone()),
            issued_at: now,
            renew_at,
            expires,
            refresh_token: secret(&tokens.refresh_token),
            id_token: secret(&tokens.id_token),
            claims: told.claims,
            nonce: told.nonce,
            generation: 0,
        }
    }

    /// The same login with the next tokens, and what their ID token tells; without that, what was told before.
    pub(super) fn renewed(
        &self,
        tokens: &TokenResponse,
        claims: Option<Map<String, Value>>,
        now: u64,
    ) -> Self {
        let is_told = claims.is_some();
        let told = Told {
            claims: claims.unwrap_or_else(|| self.claims.clone()),
            nonce: self.nonce.clone(),
        };
        let mut next = Self::new(tokens, told, now);
        // RFC 6749 §6: no new one means that the old one goes on.
        next.refresh_token = next.refresh_token.or_else(|| self.refresh_token.clone());
        next.id_token = next
            .id_token
            .filter(|_| is_told)
            .or_else(|| self.id_token.clone());
        next.generation = self.generation + 1;
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
    /// Keeps a login that was good.
    pub(super) async fn keep(
        &self,
        (secret, content): (&Secret, &Content),
        (sub, sid): (&str, &str),
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
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
            sealed: secret.seal(self, content).ok_or_else(unsealed)?,
        };
        let kept = self.parts.store.begin(&new, now).await;
        kept.map_err(|error| no_store(&error))
    }

    /// The session of a browser.
    pub(super) async fn session(&self, headers: &HeaderMap) -> Result<Session, Refusal> {
        if self.parts.settings.sealed {
            return self.unsealed(headers).await;
        }
        let name = self.parts.settings.cookie_name("");
        for value in cookie::values(headers, &name).filter(|value| value.len() == SECRET_LENGTH) {
            if let Some(session) = self.load(Secret::of(value)).await? {
                return Ok(session);
            }
        }
        Err(NOBODY)
    }

    /// The session that lives, when the browser has one.
    pub(super) async fn session_before(&self, headers: &HeaderMap) -> Result<Option<Session>, Refusal> {
        match self.session(headers).await {
            Ok(session) => Ok(Some(session)),
            Err(refusal) if refusal == NOBODY => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// The session of this secret, as it is now.
    pub(super) async fn load(&self, secret: Secret) -> Result<Option<Session>, Refusal> {
        let times = (self.now_ms(), self.parts.settings.idle_ms);
        let row = self.parts.store.find(&secret.digest, times).await;
        let Some(row) = row.map_err(|error| no_store(&error))? else {
            return Ok(None);
        };
        let content = secret.open(self, &row.sealed);
        if content.is_none() {
            tracing::warn!("a session was sealed under a key that is gone");
        }
        Ok(content.map(|content| Session {
            secret,
            row,
            content,
            carried: None,
        }))
    }

    /// Seals what comes next into the session, when it is still the one that was read. Says whether it was.
    pub(super) async fn replace(&self, session: &Session, next: &Content) -> Result<bool, Refusal> {
        let sealed = session.secret.seal(self, next).ok_or_else(unsealed)?;
        let of_version = (session.row.version, sealed);
        let renewed = self.parts.store.renew(&session.secret.digest, of_version).await;
        renewed.map_err(|error| no_store(&error))
    }

    /// The session is in use. Written once a minute at most.
    pub(super) async fn touch(&self, session: &Session) -> Result<(), Refusal> {
        let now = self.now_ms();
        if session.row.used && now < session.row.last_seen_at.saturating_add(MINUTE_MS) {
            return Ok(());
        }
        let touched = self.parts.store.touch(&session.secret.digest, now).await;
        touched.map_err(|error| no_store(&error))
    }

    /// `Set-Cookie` of a session that has begun; `None` when browsers would not keep it.
    pub(super) async fn cookies_of(&self, secret: &Secret) -> Result<Option<Vec<HeaderValue>>, Refusal> {
        let settings = &self.parts.settings;
        if settings.sealed {
            let session = self.load(secret.clone()).await?;
            return Ok(session.and_then(|session| self.sealed(&session)));
        }
        let life = u64::try_from(settings.absolute_ms / 1000).unwrap_or_default();
        let name = settings.cookie_name("");
        let line = cookie::set(settings.secure, (&name, &secret.value), life, SameSite::Strict);
        Ok(line.map(|line| vec![line]))
    }

    /// `Set-Cookie` that makes a browser forget it.
    pub(super) fn no_cookie(&self) -> Vec<HeaderValue> {
        let settings = &self.parts.settings;
        if settings.sealed {
            return self.no_sealed().collect();
        }
        let gone = cookie::set(
            settings.secure,
            (&settings.cookie_name(""), ""),
            0,
            SameSite::Strict,
        );
        gone.into_iter().collect()
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// 32 bytes in base64url.
const SECRET_LENGTH: usize = 43;
pub(super) const MINUTE_MS: i64 = 60_000;
/// RFC 6749 §5.1 lets a server not say how long a token lives.
const UNSAID_SECONDS: u64 = 300;

pub(crate) const NOBODY: Refusal = Refusal::new(
    StatusCode::UNAUTHORIZED,
    "session_missing",
    "nobody is logged in here, or the session has ended",
);
/// Nothing can be sealed without randomness, and nothing else fails there.
pub(super) fn unsealed() -> Refusal {
    broken("a session cannot be sealed")
}
