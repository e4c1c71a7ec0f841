//! Refresh tokens for the next ones: each is shown to the server once, however many requests hold it.
//!
//! Spec: RFC 6749 §6 · RFC 9700 §4.14.2 (rotation)

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use carnet_jose::primitive;
use carnet_oauth::token_response::TokenResponse;
use quick_cache::sync::Cache;

use crate::clock::Clock;
use crate::error::ClientError;
use crate::flight::Flight;
use crate::provider::{PAUSE, Provider};

/// The refreshes of a program: under way, and of a moment ago.
///
/// A browser sends several requests with the same refresh token, and may hang up before it has seen the answer. All of them get the one
/// answer, and those that come within a minute after it.
pub struct Renewals {
    provider: Arc<Provider>,
    clock: Arc<dyn Clock>,
    /// By the token's SHA-256.
    flights: Cache<[u8; 32], Renewal>,
    /// Held while a question is put, not while it is answered.
    asking: Mutex<()>,
}

#[derive(Clone)]
struct Renewal {
    asked: Duration,
    flight: Flight<Renewed>,
}

type Renewed = Result<Arc<TokenResponse>, ClientError>;

impl Renewals {
    /// Asks this server.
    pub fn new(provider: Arc<Provider>, clock: Arc<dyn Clock>) -> Self {
        Self {
            provider,
            clock,
            flights: Cache::new(CAPACITY),
            asking: Mutex::default(),
        }
    }

    /// The tokens that this one leads to. The question goes on when whoever asked is gone.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] with `invalid_grant` when the token is spent for good; anything else says nothing about the token.
    pub async fn renew(&self, refresh_token: &str) -> Result<Arc<TokenResponse>, ClientError> {
        let gone = || ClientError::Unreachable("the refresh was given up".to_owned());
        let flight = self.renewal(refresh_token).flight;
        flight.wait().await.unwrap_or_else(|| Err(gone()))
    }

    /// What is known of this token from a moment ago, without asking anybody.
    pub fn known(&self, refresh_token: &str) -> Option<Result<Arc<TokenResponse>, ClientError>> {
        let renewal = self.flights.get(&name(refresh_token))?;
        let holds = renewal.holds(self.clock.since_epoch());
        renewal.flight.answer().filter(|_| holds)
    }

    /// The same, after an answer that is under way has come.
    pub async fn settled(&self, refresh_token: &str) -> Option<Result<Arc<TokenResponse>, ClientError>> {
        let renewal = self.flights.get(&name(refresh_token))?;
        renewal.flight.wait().await;
        self.known(refresh_token)
    }

    /// Remembers that this token was given back: whoever still comes with it is told so without a question.
    pub fn spend(&self, refresh_token: &str) {
        let _one_at_a_time = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = ClientError::Refused("invalid_grant".to_owned(), "it was given back".to_owned());
        let renewal = Renewal {
            asked: self.clock.since_epoch(),
            flight: Flight::answered(Err(spent)),
        };
        self.flights.insert(name(refresh_token), renewal);
    }

    fn renewal(&self, refresh_token: &str) -> Renewal {
        let (now, key) = (self.clock.since_epoch(), name(refresh_token));
        let known = || self.flights.get(&key).filter(|renewal| renewal.holds(now));
        if let Some(renewal) = known() {
            return renewal;
        }
        let _one_at_a_time = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        known().unwrap_or_else(|| {
            let (provider, token) = (self.provider.clone(), refresh_token.to_owned());
            let renewal = Renewal {
                asked: now,
                flight: Flight::start(async move {
                    let mut tokens = provider.client().await?.refresh(&token).await?;
                    // The same again means that it goes on, as none does.
                    tokens.refresh_token = tokens.refresh_token.filter(|next| *next != token);
                    Ok(Arc::new(tokens))
                }),
            };
            self.flights.insert(key, renewal.clone());
            renewal
        })
    }
}

impl Renewal {
    fn holds(&self, now: Duration) -> bool {
        let within = |time: Duration| (self.asked..self.asked + time).contains(&now);
        match self.flight.answer() {
            // A token that goes on is asked again before what it gave has ended.
            Some(Ok(tokens)) if tokens.refresh_token.is_none() => {
                within(REMEMBERED.min(Duration::from_secs(tokens.expires_in / 2)))
            }
            Some(Ok(_)) => within(REMEMBERED),
            Some(Err(ClientError::Refused(error, _))) if error == "invalid_grant" => within(REMEMBERED),
            Some(Err(_)) => within(PAUSE),
            None => !self.flight.is_over(),
        }
    }
}

impl std::fmt::Debug for Renewals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renewals").finish_non_exhaustive()
    }
}

/// Nobody who reads the keys of the cache finds a token.
fn name(refresh_token: &str) -> [u8; 32] {
    primitive::sha256(refresh_token.as_bytes())
}

/// How long an answer is remembered for those that did not hear it.
const REMEMBERED: Duration = Duration::from_secs(60);
/// The most answers that are remembered.
const CAPACITY: usize = 10_000;
