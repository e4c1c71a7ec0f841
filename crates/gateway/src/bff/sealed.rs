//! Sessions that the browser carries itself, sealed, in up to three cookies: nothing is shared by the replicas but the keys.
//!
//! Each replica remembers, in memory, the sessions that have come to it; what a cookie says is taken up where it is newer. So requests that come at once are one refresh
//! at one replica. At two of them they are two, and the issuer must take the same refresh token twice within some seconds.
//!
//! Spec: RFC 10017 §6.1.3.2 (encrypted sessions at the client) · RFC 6265bis §5.7 (size)

use carnet_client::cookie::{self, SameSite};
use carnet_store::NewBffSession;
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::app::{Bff, no_store};
use super::session::{Carried, Content, MINUTE_MS, NOBODY, Secret, Session, unsealed};
use crate::refusal::Refusal;

/// What the cookies hold.
#[derive(Serialize, Deserialize)]
struct Sealed {
    secret: Zeroizing<String>,
    sub: String,
    sid: String,
    /// Milliseconds since 1970: when it was last used, to the minute.
    seen: i64,
    /// Milliseconds since 1970: when it ends at the latest.
    ends: i64,
    content: Content,
}

impl Bff {
    /// The session that the browser carries, or what has become of it here.
    pub(super) async fn unsealed(&self, headers: &HeaderMap) -> Result<Session, Refusal> {
        let sealed = self.opened(headers).ok_or(NOBODY)?;
        let secret = Secret::of(&sealed.secret);
        let (now, idle_ms) = (self.now_ms(), self.parts.settings.idle_ms);
        let over = sealed.ends <= now || sealed.seen.saturating_add(idle_ms) <= now;
        let generation = sealed.content.generation;
        if over || self.parts.flights.has_ended(&secret.digest, generation) {
            return Err(NOBODY);
        }
        let carried = Carried {
            generation,
            seen: sealed.seen,
        };
        let mut known = self.load(secret.clone()).await?;
        match &known {
            Some(session) if session.content.generation >= carried.generation => {}
            Some(session) => {
                self.replace(session, &sealed.content).await?;
                known = self.load(secret).await?;
            }
            None => {
                self.take_up(&secret, &sealed).await?;
                known = self.load(secret).await?;
            }
        }
        let session = known.ok_or(NOBODY)?;
        Ok(Session {
            carried: Some(carried),
            ..session
        })
    }

    /// Another replica has begun it, or this one before a restart.
    async fn take_up(&self, secret: &Secret, sealed: &Sealed) -> Result<(), Refusal> {
        let new = NewBffSession {
            digest: secret.digest,
            client_id: self.parts.settings.client_id.clone(),
            sub: sealed.sub.clone(),
            sid: sealed.sid.clone(),
            user_agent: String::new(),
            absolute_expires_at: sealed.ends,
            sealed: secret.seal(self, &sealed.content).ok_or_else(unsealed)?,
        };
        let store = &self.parts.store;
        if store.begin(&new, sealed.seen).await.is_ok() || self.load(secret.clone()).await?.is_some() {
            // Now, or by another request of the same browser that was faster.
            return Ok(());
        }
        // What has rested here for too long was in use elsewhere.
        let ended = store.end(&secret.digest).await;
        ended.map_err(|error| no_store(&error))?;
        if let Err(error) = store.begin(&new, sealed.seen).await {
            tracing::debug!(%error, "a session was not taken up");
        }
        Ok(())
    }

    /// `Set-Cookie` where the browser does not have the session as it is: after a refresh, and once a minute.
    pub(crate) fn cookies(&self, session: &Session) -> Vec<HeaderValue> {
        let Some(carried) = session.carried else {
            return Vec::new();
        };
        let same = carried.generation == session.content.generation;
        if same && self.now_ms() < carried.seen.saturating_add(MINUTE_MS) {
            return Vec::new();
        }
        self.sealed(session).unwrap_or_default()
    }

    /// `Set-Cookie` of the whole session; `None` when browsers would not keep it.
    pub(super) fn sealed(&self, session: &Session) -> Option<Vec<HeaderValue>> {
        let now = self.now_ms();
        let mut sealed = Sealed {
            secret: session.secret.value.clone(),
            sub: session.row.sub.clone(),
            sid: session.row.sid.clone(),
            seen: now,
            ends: session.row.absolute_expires_at,
            content: session.content.clone(),
        };
        let mut value = self.parts.keys.seal(PURPOSE, &sealed)?;
        if value.len() > MOST_CHUNKS * CHUNK_BYTES {
            // The least of it: then the logout at the issuer asks the user.
            sealed.content.id_token = None;
            value = self.parts.keys.seal(PURPOSE, &sealed)?;
        }
        let chunks: Vec<_> = value.as_bytes().chunks(CHUNK_BYTES).collect();
        if chunks.len() > MOST_CHUNKS {
            let (code, bytes) = (TOO_LARGE, value.len());
            tracing::error!(
                code,
                bytes,
                "a session does not fit into three cookies: keep the sessions at the server's side, or let the issuer put less into its tokens"
            );
            return None;
        }
        let life = u64::try_from(sealed.ends.saturating_sub(now) / 1000).unwrap_or_default();
        let secure = self.parts.settings.secure;
        let lines = (0..MOST_CHUNKS).map(|at| {
            let text = chunks.get(at).map(|chunk| String::from_utf8_lossy(chunk));
            // The first one says how many there are.
            let head = if at == 0 {
                chunks.len().to_string() + "."
            } else {
                String::new()
            };
            match text {
                Some(text) => {
                    let value = format!("{head}{text}");
                    cookie::set(secure, (&self.chunk(at), &value), life, SameSite::Strict)
                }
                None => cookie::set(secure, (&self.chunk(at), ""), 0, SameSite::Strict),
            }
        });
        lines.collect()
    }

    /// `Set-Cookie` that makes a browser forget it.
    pub(super) fn no_sealed(&self) -> impl Iterator<Item = HeaderValue> {
        let secure = self.parts.settings.secure;
        (0..MOST_CHUNKS).filter_map(move |at| cookie::set(secure, (&self.chunk(at), ""), 0, SameSite::Strict))
    }

    fn opened(&self, headers: &HeaderMap) -> Option<Sealed> {
        let chunk = |at: usize| cookie::values(headers, &self.chunk(at)).next().map(str::to_owned);
        let first = chunk(0)?;
        let (count, first) = first.split_once('.')?;
        let count: usize = count
            .parse()
            .ok()
            .filter(|count| (1..=MOST_CHUNKS).contains(count))?;
        let mut value = first.to_owned();
        for at in 1..count {
            value.push_str(&chunk(at)?);
        }
        self.parts.keys.open(PURPOSE, &value)
    }

    fn chunk(&self, at: usize) -> String {
        self.parts.settings.cookie_name(&format!("-{at}"))
    }
}

const PURPOSE: &str = "bff session";
const MOST_CHUNKS: usize = 3;
/// With the longest name, and what the first one says in front, not more than a browser keeps.
const CHUNK_BYTES: usize = cookie::MOST_BYTES - 32;
pub(super) const TOO_LARGE: &str = "session_too_large";
