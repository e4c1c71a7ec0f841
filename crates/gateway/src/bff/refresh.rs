//! Access tokens before they end: one question to the issuer, however many requests wait for its answer, at however many replicas.
//!
//! Spec: RFC 6749 §6 · RFC 9700 §4.14.2 (rotation) · OpenID Connect Core §12.2

use std::convert::Infallible;
use std::future::Future;
use std::sync::PoisonError;
use std::time::Duration;

use carnet_client::error::ClientError;
use carnet_client::flight::Flight;
use carnet_oauth::token_response::TokenResponse;
use http::{HeaderValue, StatusCode, header};
use tokio::time::{Instant, sleep, timeout};

use super::app::{Bff, UNAVAILABLE, no_store};
use super::flights::Outcome;
use super::session::{Content, NOBODY, Secret, Session};
use super::{login, logout, told};
use crate::refusal::{Refusal, SERVER_ERROR, broken};

impl Bff {
    /// The session with an access token that lives.
    pub(super) async fn fresh(&self, session: Session) -> Result<Session, Refusal> {
        let (now, content) = (self.now(), &session.content);
        if now < content.renew_at {
            return Ok(session);
        }
        let lives = now < content.expires;
        if content.refresh_token.is_none() {
            // Nothing can follow this token.
            return if lives { Ok(session) } else { Err(NOBODY) };
        }
        if lives && self.parts.settings.sealed {
            // This very answer must bring the browser what comes: nobody else will.
            return match self.next(session.clone()).await {
                // The session has ended, and with it what is answered.
                Err(refusal) if refusal.status() == StatusCode::UNAUTHORIZED => Err(refusal),
                next => Ok(next.unwrap_or(session)),
            };
        }
        if lives {
            // Ahead of time: nobody waits.
            if !self.parts.flights.is_paused(&session.secret.digest, now) {
                self.refresh(&session);
            }
            return Ok(session);
        }
        self.next(session).await
    }

    /// The session with the next tokens, whatever its present ones are worth.
    pub(super) async fn next(&self, session: Session) -> Result<Session, Refusal> {
        let wait = || UNAVAILABLE.with(header::RETRY_AFTER, HeaderValue::from_static("5"));
        if session.content.refresh_token.is_none() {
            return Err(NOBODY);
        }
        let (flights, digest) = (&self.parts.flights, &session.secret.digest);
        if flights.is_paused(digest, self.now()) {
            return Err(wait());
        }
        match timeout(PATIENCE, self.refresh(&session).wait()).await {
            Ok(Some(Outcome::Moved)) => {
                let next = self.load(session.secret).await?.ok_or(NOBODY)?;
                Ok(Session {
                    carried: session.carried,
                    ..next
                })
            }
            Ok(Some(Outcome::Over)) => Err(self.over()),
            Ok(Some(Outcome::Unknown) | None) | Err(_) => Err(wait()),
        }
    }

    /// The issuer has ended it: what the browser carries itself is of no use to it any more.
    fn over(&self) -> Refusal {
        let carried = self.parts.settings.sealed.then(|| self.no_sealed());
        let lines = carried.into_iter().flatten();
        lines.fold(NOBODY, |refusal, line| refusal.with(header::SET_COOKIE, line))
    }

    /// The refresh of this session that is under way, or a new one. It goes on when whoever asked is gone.
    fn refresh(&self, session: &Session) -> Flight<Outcome> {
        let flights = &self.parts.flights;
        let mut under_way = flights.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = session.secret.digest;
        if let Some(flight) = under_way.get(&digest).filter(|flight| !flight.is_over()) {
            return flight.clone();
        }
        let (bff, secret, version) = (self.clone(), session.secret.clone(), session.row.version);
        let task = self.parts.tasks.begin();
        let flight = Flight::start(async move {
            let outcome = refreshed(&bff, &secret, version).await;
            let flights = &bff.parts.flights;
            let mut under_way = flights.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            under_way.remove(&secret.digest);
            drop(task);
            outcome.unwrap_or(Outcome::Unknown)
        });
        under_way.insert(digest, flight.clone());
        flight
    }

    async fn lease(&self, secret: &Secret) -> Result<bool, Refusal> {
        let now = self.now_ms();
        let times = (now, now.saturating_add(LEASE_MS));
        let owner = &self.parts.flights.owner;
        let leased = self.parts.store.lease(&secret.digest, owner, times).await;
        leased.map_err(|error| no_store(&error))
    }
}

/// Waits until it is our turn, and asks, if nobody has meanwhile.
async fn refreshed(bff: &Bff, secret: &Secret, version: i64) -> Result<Outcome, Refusal> {
    let until = Instant::now() + PATIENCE;
    let mut step = FIRST_STEP;
    let session = loop {
        // After the lease was taken, never before: whoever had it has changed the session.
        let leased = bff.lease(secret).await?;
        let Some(session) = bff.load(secret.clone()).await? else {
            return Ok(Outcome::Over);
        };
        if session.row.version != version {
            if leased {
                release(bff, secret).await;
            }
            return Ok(Outcome::Moved);
        }
        if leased {
            break session;
        }
        if Instant::now() >= until {
            return Ok(Outcome::Unknown);
        }
        sleep(step).await;
        step = (step * 2).min(LAST_STEP);
    };
    ask(bff, session).await
}

/// Asks the issuer, and keeps what it says. The lease is ours.
async fn ask(bff: &Bff, session: Session) -> Result<Outcome, Refusal> {
    let refresh_token = session.content.refresh_token.clone();
    let refresh_token =
        refresh_token.ok_or_else(|| broken("a session without a refresh token was to be renewed"))?;
    let asked = keeping_the_lease(bff, &session.secret, tokens(bff, &refresh_token)).await;
    match asked {
        Ok(tokens) => keeping_the_lease(bff, &session.secret, take(bff, &session, tokens)).await,
        Err(ClientError::Refused(code, _)) if code == "invalid_grant" => {
            let now = bff.load(session.secret.clone()).await?;
            if now.is_some_and(|now| now.row.version != session.row.version) {
                return Ok(Outcome::Moved);
            }
            tracing::info!("the issuer has ended a session");
            end(bff, &session).await
        }
        // Whatever else goes wrong says nothing about the token, and logs nobody out.
        Err(error) => {
            tracing::warn!(%error, "a session could not be refreshed");
            if is_of_all(&error) {
                bff.parts.flights.pause(bff.now());
            } else {
                bff.parts.flights.pause_one(session.secret.digest, bff.now());
            }
            release(bff, &session.secret).await;
            Ok(Outcome::Unknown)
        }
    }
}

async fn end(bff: &Bff, session: &Session) -> Result<Outcome, Refusal> {
    if bff.parts.settings.sealed {
        let times = (bff.now_ms(), session.row.absolute_expires_at);
        let (digest, generation) = (session.secret.digest, session.content.generation);
        bff.parts.flights.end(digest, generation, times);
    }
    let ended = bff.parts.store.end(&session.secret.digest).await;
    ended.map_err(|error| no_store(&error))?;
    bff.parts.streams.look();
    Ok(Outcome::Over)
}

/// Whether the issuer would say the same of any session of this app.
fn is_of_all(error: &ClientError) -> bool {
    match error {
        ClientError::Refused(code, _) => OF_ALL.contains(&code.as_str()),
        error => login::is_passing(error),
    }
}

async fn tokens(bff: &Bff, refresh_token: &str) -> Result<TokenResponse, ClientError> {
    bff.parts.provider.client().await?.refresh(refresh_token).await
}

/// What the issuer has given for this session, unless it is somebody else's.
async fn take(bff: &Bff, session: &Session, tokens: TokenResponse) -> Result<Outcome, Refusal> {
    match told::again(bff, session, tokens.id_token.as_deref()).await {
        Ok(claims) => {
            let next = session.content.renewed(&tokens, claims, bff.now());
            keep(bff, session, &next).await
        }
        Err(why) => {
            tracing::error!(
                why,
                "a refresh was answered with the tokens of another login: the session ends"
            );
            // Its own, and with it what the issuer has made of it. What came may be what somebody else's session lives on.
            if let Some(token) = session.content.refresh_token.clone() {
                bff.parts.tasks.spawn(logout::give_back(bff.clone(), token));
            }
            end(bff, session).await
        }
    }
}

/// The issuer gives this once: a store that does not answer for a while is asked again.
async fn keep(bff: &Bff, session: &Session, next: &Content) -> Result<Outcome, Refusal> {
    let until = Instant::now() + KEEPING;
    let mut step = FIRST_STEP;
    loop {
        match kept(bff, session, next).await {
            Err(refusal) if refusal.code() != SERVER_ERROR && Instant::now() < until => sleep(step).await,
            Err(refusal) => {
                tracing::error!(
                    "the next tokens of a session are lost: its login ends with the next question"
                );
                return Err(refusal);
            }
            outcome => return outcome,
        }
        step = (step * 2).min(LONGEST_STEP);
    }
}

async fn kept(bff: &Bff, session: &Session, next: &Content) -> Result<Outcome, Refusal> {
    if bff.replace(session, next).await? {
        return Ok(Outcome::Moved);
    }
    // Or it was kept, and the word of it was lost.
    let now = bff.load(session.secret.clone()).await?;
    // Logged out while we asked: what came is given back. Where somebody else was faster, it is the same login, and goes on.
    if now.is_none()
        && let Some(refresh_token) = &next.refresh_token
    {
        logout::give_back(bff.clone(), refresh_token.clone()).await;
    }
    Ok(now.map_or(Outcome::Over, |_| Outcome::Moved))
}

/// An issuer that is slow, or a store, is waited for: nobody else asks meanwhile. The work goes on beside the lease, which may take longer than it.
async fn keeping_the_lease<T>(bff: &Bff, secret: &Secret, work: impl Future<Output = T>) -> T {
    tokio::select! {
        biased;
        answer = work => answer,
        never = renewing_the_lease(bff, secret) => match never {},
    }
}

async fn renewing_the_lease(bff: &Bff, secret: &Secret) -> Infallible {
    loop {
        sleep(LEASE_AGAIN).await;
        // A database that does not answer is in the log; the work goes on in any case.
        let _ = bff.lease(secret).await;
    }
}

async fn release(bff: &Bff, secret: &Secret) {
    let owner = &bff.parts.flights.owner;
    if let Err(error) = bff.parts.store.release(&secret.digest, owner).await {
        tracing::warn!(%error, "a lease could not be given back; it ends by itself");
    }
}

/// What the issuer says of this app, or of itself.
const OF_ALL: [&str; 5] = [
    "invalid_client",
    "server_error",
    "slow_down",
    "temporarily_unavailable",
    "unauthorized_client",
];
/// How long a request waits for the tokens of its session.
const PATIENCE: Duration = Duration::from_secs(10);
/// Clearly shorter than an issuer takes the same refresh token again (`tokens.refresh_grace`, 10 seconds): who was about to ask may be gone for ever, and have been answered.
const LEASE_MS: i64 = 4_000;
const LEASE_AGAIN: Duration = Duration::from_secs(1);
const FIRST_STEP: Duration = Duration::from_millis(25);
const LAST_STEP: Duration = Duration::from_millis(200);
/// How long it is tried to keep what the issuer has given: as long as a database may take to start again.
const KEEPING: Duration = Duration::from_secs(120);
const LONGEST_STEP: Duration = Duration::from_secs(1);
