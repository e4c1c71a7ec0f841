//! Following: a stream as long as there is one, one message after another where none comes through, and again after every loss.
//!
//! Spec: RFC 6749 §2.3.1 (client_secret_basic) · WHATWG HTML §9.2 (server-sent events) · RFC 8725 §3.8, §3.9, §3.11

use std::mem::Discriminant;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use carnet_jose::{Error, KeySource, TokenType, Verifier, primitive};
use carnet_oauth::revocation::{self, RevocableToken, RevocationMessage};
use http::{HeaderMap, HeaderValue, header};
use tokio::time::{Instant, sleep, timeout};

use super::chain::{Chain, Odd, Step};
use super::events::Events;
use super::known::Known;
use super::set::{Hashes, Record, Set};
use super::source::{Keys, Source};
use crate::error::ClientError;
use crate::http::{HttpClient, address};

/// Follows until it is dropped.
pub(super) struct Follower {
    http: HttpClient,
    url: String,
    authorization: HeaderValue,
    keys: Keys,
    verifier: Verifier,
    chain: Chain,
    known: Arc<Known>,
    /// A stream does not come through: until then messages are asked for.
    asking_until: Option<Instant>,
    /// When the connection was made, in milliseconds since 1970; questions that follow one another count as one connection.
    connected_at: u64,
    /// Whether a message was taken since the last trouble.
    heard: bool,
    /// The kind of loss that stands in the log.
    lost: Option<Discriminant<ClientError>>,
}

impl Follower {
    pub(super) fn new(
        http: HttpClient,
        source: Source,
        (known, hashes): (Arc<Known>, Hashes),
    ) -> Result<Self, ClientError> {
        address(&source.url)?;
        let keys: Arc<dyn KeySource> = match &source.keys {
            Keys::Remote(keys) => keys.clone(),
            Keys::Fixed(keys) => keys.clone(),
        };
        // The clocks must agree: a message of another time is none of now.
        let verifier = Verifier::builder(keys)
            .algorithms(&source.algorithms)
            .token_type(TokenType::Other(revocation::TYPE))
            .issuer(source.issuer.as_str())
            .audience(source.id.as_str())
            .without_expiry_check()
            .leeway(LEEWAY)
            .max_token_age(Duration::ZERO)
            .build()
            .map_err(|error| ClientError::Invalid(error.to_string()))?;
        Ok(Self {
            authorization: crate::credentials::basic(&source.id, &source.secret)?,
            http,
            url: source.url,
            keys: source.keys,
            verifier,
            chain: Chain::new(hashes),
            known,
            asking_until: None,
            connected_at: 0,
            heard: false,
            lost: None,
        })
    }

    /// Never ends.
    pub(super) async fn run(mut self) {
        let mut failures = 0;
        loop {
            let streams = self.asking_until.is_none_or(|until| Instant::now() >= until);
            let outcome = match streams {
                true => self.stream().await,
                false => self.ask().await,
            };
            self.known.streaming.store(false, Ordering::Relaxed);
            if std::mem::take(&mut self.heard) {
                failures = 0;
            }
            let Err(error) = outcome else {
                continue;
            };
            // Once, and once more when there is another reason: a server that came back may not know us.
            let kind = std::mem::discriminant(&error);
            if failures >= 1 && self.lost.replace(kind) != Some(kind) {
                tracing::warn!(url = self.url, %error, "the revocation feed is lost; trying until it is back");
            } else {
                tracing::debug!(url = self.url, %error, "the revocation feed is lost");
            }
            self.connected_at = 0;
            sleep(pause(failures)).await;
            failures = failures.saturating_add(1);
        }
    }

    /// Takes events as long as they come.
    async fn stream(&mut self) -> Result<(), ClientError> {
        let headers = self.headers("text/event-stream");
        let mut answer = self.http.stream(&self.address(""), headers).await?;
        if answer.status != http::StatusCode::OK {
            return Err(ClientError::Status(self.url.clone(), answer.status.as_u16()));
        }
        let kind = answer.headers.get(header::CONTENT_TYPE);
        if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
            self.ask_for_a_while();
            return Err(ClientError::Invalid(format!(
                "{} is no stream of events",
                self.url
            )));
        }
        let mut events = Events::default();
        let mut first = true;
        loop {
            let patience = if first { FIRST_PATIENCE } else { PATIENCE };
            let Ok(piece) = timeout(patience, answer.piece()).await else {
                // Something between us collects what should pass.
                if first {
                    self.ask_for_a_while();
                }
                return Err(ClientError::Unreachable(format!("{}: silence", self.url)));
            };
            let Some(piece) = piece? else {
                return Err(ClientError::Unreachable(format!(
                    "{}: the stream ended",
                    self.url
                )));
            };
            let taken = events.take(&piece);
            for message in taken.map_err(|_| ClientError::TooLarge(self.url.clone()))? {
                self.take(&message).await?;
                self.known.streaming.store(true, Ordering::Relaxed);
                first = false;
            }
        }
    }

    /// One message, as soon as there is news, and soon anyhow.
    async fn ask(&mut self) -> Result<(), ClientError> {
        let answer = self
            .http
            .get(&self.address(WAIT), self.headers("application/jwt"))
            .await?;
        let message = answer.ok(&self.url)?;
        let message = std::str::from_utf8(&message)
            .map_err(|_| ClientError::Invalid(format!("{} gave no message", self.url)))?;
        self.take(message.trim()).await?;
        match self.heard {
            true => Ok(()),
            // The same answer again, out of somebody's cache: not asked for at once once more.
            false => Err(ClientError::Invalid(format!("{} said nothing new", self.url))),
        }
    }

    fn ask_for_a_while(&mut self) {
        tracing::info!(
            url = self.url,
            "no stream of revocations comes through; messages are asked for one by one"
        );
        self.asking_until = Some(Instant::now() + ASKING);
    }

    /// Checks a message, and takes what it says.
    async fn take(&mut self, token: &str) -> Result<(), ClientError> {
        let invalid = |why: &dyn std::fmt::Display| {
            ClientError::Invalid(format!("a message of the revocation feed: {why}"))
        };
        let message = self.verify(token).await.map_err(|error| invalid(&error))?;
        let steady = self.known.clock.steady();
        let step = self.chain.take(&message).map_err(|odd| match odd {
            Odd::Gap => invalid(&"something is missing before it"),
            Odd::Old => invalid(&"it is older than what is known"),
        })?;
        if self.connected_at == 0 {
            let now = self.known.clock.since_epoch().as_millis();
            self.connected_at = u64::try_from(now).unwrap_or(u64::MAX);
        }
        self.heard |= !message.entries.is_empty();
        match step {
            Step::More(records) if records.is_empty() => {}
            Step::More(records) => {
                let set = self.known.set.load().with(&records);
                self.known.replace(set);
            }
            Step::Anew(records) => self.replace(records).await?,
            Step::Unfinished => return Ok(()),
        }
        self.known.cursor.store(message.cursor, Ordering::Relaxed);
        let services = self.known.services.swap(message.services, Ordering::AcqRel);
        let connected_at = self.known.connected_at.swap(self.connected_at, Ordering::AcqRel);
        if (services, connected_at) != (message.services, self.connected_at) {
            self.known.changes.send_replace(());
        }
        if self.chain.is_sign_of_life(&message) {
            self.known.is_whole(steady);
            self.heard = true;
            if self.lost.take().is_some() {
                tracing::info!(url = self.url, "the revocation feed is back");
            }
        }
        let renewed = self.chain.renewed(&self.known.set.load());
        if let Some(living) = renewed {
            self.replace(living).await?;
        }
        Ok(())
    }

    async fn verify(&self, token: &str) -> Result<RevocationMessage, Error> {
        if let Keys::Remote(keys) = &self.keys {
            keys.prepare().await;
        }
        let verify = || {
            let now = self.known.clock.since_epoch().as_secs();
            self.verifier.verify_owned::<RevocationMessage>(token, now)
        };
        let verified = match (verify(), &self.keys) {
            (Err(Error::UnknownKeyId), Keys::Remote(keys)) => {
                keys.refresh_for_issuer(token).await;
                verify()?
            }
            (outcome, _) => outcome?,
        };
        // A key that was taken back may be in somebody else's hands.
        let key = RevocableToken {
            kid: verified.key_id.as_deref(),
            ..RevocableToken::default()
        };
        match self.known.set.load().takes_back(&key) {
            true => Err(Error::UnknownKeyId),
            false => Ok(verified.claims),
        }
    }

    /// A million entries are sorted where nobody waits for it.
    async fn replace(&mut self, records: Vec<Record>) -> Result<(), ClientError> {
        // Not those of the set that is there, which may be another one's.
        let hashes = self.chain.hashes().clone();
        let set = match records.len() {
            0..SOME => Set::new(hashes, records),
            _ => match tokio::task::spawn_blocking(move || Set::new(hashes, records)).await {
                Ok(set) => set,
                Err(error) => {
                    // What was followed is not in the set: from the beginning.
                    self.chain = Chain::new(self.chain.hashes().clone());
                    return Err(ClientError::Invalid(error.to_string()));
                }
            },
        };
        self.known.replace(set);
        Ok(())
    }

    fn address(&self, further: &str) -> String {
        let Some((epoch, cursor)) = self.chain.position() else {
            return match further.is_empty() {
                true => self.url.clone(),
                false => format!("{}?{further}", self.url),
            };
        };
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("since", &cursor.to_string())
            .append_pair("epoch", epoch);
        let services = self.known.services.load(Ordering::Relaxed);
        if services != 0 {
            query.append_pair("services", &services.to_string());
        }
        let query = query.finish();
        format!("{}?{query}&{further}", self.url)
            .trim_end_matches('&')
            .to_owned()
    }

    fn headers(&self, accept: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        headers
    }
}

/// Twice as long each time, up to five seconds; a crowd that lost the same server does not come back as one.
fn pause(failures: u32) -> Duration {
    let whole = FIRST_PAUSE
        .saturating_mul(1 << failures.min(8))
        .min(LONGEST_PAUSE);
    let mut random = [0; 1];
    // Without randomness everybody waits as long.
    let _ = primitive::fill_random(&mut random);
    let [random] = random;
    whole / 2 + whole / 2 * u32::from(random) / 255
}

/// How far the issuer's clock and ours may be apart.
const LEEWAY: Duration = Duration::from_secs(30);
/// A heartbeat is due every five seconds.
const PATIENCE: Duration = Duration::from_secs(15);
/// The first message is due at once.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);
/// How long messages are asked for before a stream is tried again.
const ASKING: Duration = Duration::from_secs(600);
/// How long the issuer may hold a question: less than an answer may take.
const WAIT: &str = "wait=3";
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Fewer entries than these are sorted at once.
const SOME: usize = 20_000;
