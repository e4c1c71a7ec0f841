//! How often a password, a code or a proof may be tried, and by whom; and what else strangers may ask for only so often.
//!
//! A password has three counters, all rows of the store: account and address together, the account from everywhere, the address on all accounts.
//! A stranger who guesses from one address exhausts the first alone. Ten addresses together close an account to browsers that it does
//! not know, for a window at most; a browser that has logged in before has a counter of its own.

use std::net::IpAddr;

use carnet_jose::{base64url, primitive};
use carnet_store::ThrottleRule;
use http::StatusCode;
use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;
use crate::http::address::throttle_unit;
use crate::http::failure::{Failure, Refusal, overloaded};
use crate::master_key::Purpose;
use crate::password::{Password, Verdict};

/// The counters of one attempt.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// What is counted, for the log.
    counted: &'static str,
    /// Held until the request is answered: what is counted for it is given back by then, if it was right.
    turns: Vec<OwnedSemaphorePermit>,
    rules: Vec<ThrottleRule>,
    /// Cleared by a success.
    pub(crate) personal: Vec<String>,
    /// Given back by a success, which then counts for nothing.
    pub(crate) shared: Vec<String>,
}

impl Attempt {
    /// An attempt on an account from an address. `known_device`: the browser has logged in to this account before.
    pub(crate) fn on(
        app: &App,
        account: &str,
        address: IpAddr,
        known_device: Option<&str>,
    ) -> Result<Self, Failure> {
        let login = &app.config.login;
        let window_ms = login.throttle_window.millis();
        let unit = throttle_unit(address);
        let rule = |parts: [&str; 3], limit: u32| {
            Ok::<_, Failure>(ThrottleRule {
                key: key(app, parts)?,
                limit: i64::from(limit),
                window_ms,
            })
        };
        let pair = match known_device {
            // Its own counter: neither strangers behind the same address nor guessers elsewhere use it up.
            Some(sub) => rule(["device", account, sub], login.attempts_per_account_and_address)?,
            None => rule(
                ["account and address", account, &unit],
                login.attempts_per_account_and_address,
            )?,
        };
        let personal = vec![pair.key.clone()];
        let mut rules = vec![pair];
        let mut shared = Vec::new();
        if known_device.is_none() {
            for rule in [
                rule(["account", account, ""], login.attempts_per_account)?,
                rule(["address", &unit, ""], login.attempts_per_address)?,
            ] {
                shared.push(rule.key.clone());
                rules.push(rule);
            }
        }
        Ok(Self {
            counted: "wrong passwords",
            turns: Vec::new(),
            rules,
            personal,
            shared,
        })
    }

    /// Somebody who holds an access token of the account tries its password. A counter of its own: a thief of a token closes no login.
    pub(crate) fn change(app: &App, sub: &str) -> Result<Self, Failure> {
        let attempt = Self::one(app, ("change", sub, ""))?;
        Ok(Self {
            personal: attempt.rules.iter().map(|rule| rule.key.clone()).collect(),
            ..attempt
        })
    }

    /// A client, or who says to be one, fails to prove it from an address.
    pub(crate) fn client_authentication(app: &App, id: &str, address: IpAddr) -> Result<Self, Failure> {
        Self::one(app, ("client", id, &throttle_unit(address)))
    }

    /// Somebody registers from an address.
    pub(crate) fn registration(app: &App, address: IpAddr) -> Result<Self, Failure> {
        Self::one(app, ("register", &throttle_unit(address), ""))
    }

    /// Somebody registers a client from an address.
    pub(crate) fn client_registration(app: &App, address: IpAddr) -> Result<Self, Failure> {
        let limit = app.config.client_registration.requests_per_address;
        Self::up_to(app, ("client registration", &throttle_unit(address), ""), limit)
    }

    /// Somebody who proves nothing asks for a code, which is kept: a row that only time takes away.
    pub(crate) fn authorization(app: &App, address: IpAddr) -> Result<Self, Failure> {
        let limit = app.config.authorization.requests_per_address;
        Self::up_to(app, ("authorization", &throttle_unit(address), ""), limit)
    }

    /// Somebody who is signed in asks for a code: that keeps a row as well, and what the code buys another. A counter of its own, for the account at
    /// this address: whoever makes a browser ask and ask locks nobody out elsewhere.
    pub(crate) fn authorization_by(app: &App, sub: &str, address: IpAddr) -> Result<Self, Failure> {
        let limit = app.config.authorization.requests_per_address;
        Self::up_to(app, ("authorization by", sub, &throttle_unit(address)), limit)
    }

    /// Somebody who proves nothing but a key of his own is refused: his proof is kept as well.
    pub(crate) fn refused_proof(app: &App, address: IpAddr) -> Result<Self, Failure> {
        let limit = app.config.authorization.requests_per_address;
        Self::up_to(app, ("refused proof", &throttle_unit(address), ""), limit)
    }

    /// A device asks to be connected, for a client from an address (RFC 8628 §5.2).
    pub(crate) fn device_request(app: &App, client: &str, address: IpAddr) -> Result<Self, Failure> {
        let limit = app.config.authorization.requests_per_address;
        Self::up_to(app, ("device request", client, &throttle_unit(address)), limit)
    }

    /// Somebody types a user code: the misses from an address count together, and those of an account from everywhere (RFC 8628 §5.1).
    pub(crate) fn user_code(app: &App, address: IpAddr, sub: Option<&str>) -> Result<Self, Failure> {
        let limit = app.config.device.wrong_codes;
        let mut attempt = Self::up_to(app, ("user code", &throttle_unit(address), ""), limit)?;
        if let Some(sub) = sub {
            let of_account = Self::up_to(app, ("user code of", sub, ""), limit)?;
            attempt.rules.extend(of_account.rules);
        }
        Ok(attempt)
    }

    fn one(app: &App, parts: Counter<'_>) -> Result<Self, Failure> {
        Self::up_to(app, parts, app.config.login.attempts_per_account_and_address)
    }

    fn up_to(app: &App, (counted, a, b): Counter<'_>, limit: u32) -> Result<Self, Failure> {
        let rule = ThrottleRule {
            key: key(app, [counted, a, b])?,
            limit: i64::from(limit),
            window_ms: app.config.login.throttle_window.millis(),
        };
        Ok(Self {
            counted,
            turns: Vec::new(),
            rules: vec![rule],
            personal: Vec::new(),
            shared: Vec::new(),
        })
    }

    /// Counts the attempt and holds the password against the stored hash. One that nobody had time for counts for nothing.
    ///
    /// No more at once than half of what a counter takes: the rest waits for its turn. Whoever is right is not refused because others
    /// are right at the same moment.
    pub(crate) async fn verify(
        &mut self,
        app: &App,
        password: Password,
        (stored, usable): (Option<String>, bool),
    ) -> Result<Verdict, Failure> {
        // Everybody takes them in this order, so that nobody waits in a circle.
        for rule in &self.rules {
            let at_once = usize::try_from(rule.limit / 2).unwrap_or_default();
            let turn = app.attempts.take(&rule.key, at_once).await;
            self.turns.push(turn.ok_or_else(|| overloaded(RETRY_AFTER))?);
        }
        self.count(app).await?;
        match app.hasher.verify(password, stored, usable).await {
            Ok(verdict) => Ok(verdict),
            Err(full) => {
                self.give_back(app);
                Err(overloaded(full.retry_after))
            }
        }
    }

    /// The attempt counts for nothing: nobody got to judge it, or could act on the judgement. Done as soon as the store can.
    pub(crate) fn give_back(&self, app: &App) {
        let keys: Vec<String> = self.rules.iter().map(|rule| rule.key.clone()).collect();
        let app = app.clone();
        tokio::spawn(async move {
            if let Err(error) = app.store.refund_attempt(&keys).await {
                tracing::warn!(%error, "an attempt that came to nothing stays counted");
            }
        });
    }

    /// Counts the attempt before it is made, so that a hundred at once are a hundred; 429 when it is one too many.
    pub(crate) async fn count(&self, app: &App) -> Result<(), Failure> {
        let Some(wait_ms) = app.store.count_attempt(&self.rules, app.now()).await? else {
            return Ok(());
        };
        let seconds = u64::try_from(wait_ms).unwrap_or_default().div_ceil(1000);
        tracing::info!(counter = self.counted, seconds, "a counter of attempts is full");
        const REASON: &str = "too many attempts; wait for the time in Retry-After";
        Err(
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", REASON)
                .retry_after(seconds)
                .into(),
        )
    }
}

/// What is counted, and for whom.
type Counter<'a> = (&'static str, &'a str, &'a str);

/// Seconds after which whoever got no turn tries again.
const RETRY_AFTER: u64 = 2;

/// A counter's name: keyed, so that a stolen database does not tell who was attacked from where.
fn key(app: &App, parts: [&str; 3]) -> Result<String, Failure> {
    let secret = app.master.derive(app.master.current(), Purpose::ThrottleKey);
    let secret = secret.ok_or_else(|| Failure::broken("there is no current master key"))?;
    let [kind, a, b] = parts.map(str::as_bytes);
    let mac = primitive::hmac_sha256(secret.as_slice(), &[kind, b"\0", a, b"\0", b]);
    Ok(base64url::encode(mac.get(..16).unwrap_or_default()))
}
