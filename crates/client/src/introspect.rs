//! Asking whether a token may be used now.
//!
//! Spec: RFC 7662 · RFC 9701 §4 (signed answers)

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use carnet_jose::{Algorithm, primitive};
use carnet_oauth::introspection::{IntrospectionResponse, MEDIA_TYPE};
use http::{HeaderMap, HeaderValue, header};
use quick_cache::sync::Cache;
use serde::Deserialize as _;
use serde_json::{Map, Value};

use crate::clock::{Clock, SystemClock};
use crate::credentials::basic;
use crate::error::ClientError;
use crate::flight::Flight;
use crate::http::{HttpClient, address};
use crate::revocations::Keys;
use crate::signed_answer::SignedAnswers;

/// An introspection endpoint, and what it said a moment ago.
pub struct Introspection {
    endpoint: Arc<Endpoint>,
    clock: Box<dyn Clock>,
    ttl: Duration,
    /// By the token's SHA-256: nobody who reads our memory finds a token.
    questions: Cache<[u8; 32], Question>,
    /// Held while a question is put, not while it is answered: two callers never put the same one.
    asking: Mutex<()>,
}

#[derive(Clone)]
struct Endpoint {
    http: HttpClient,
    url: String,
    authorization: HeaderValue,
    /// `None`: answers need no signature.
    signed: Option<Arc<SignedAnswers>>,
}

/// Everybody who asks about the same token waits for the same answer.
#[derive(Clone)]
struct Question {
    asked: Duration,
    flight: Flight<Result<Answer, ClientError>>,
}

#[derive(Clone)]
struct Answer {
    response: IntrospectionResponse,
    /// Every member of it, as it came.
    told: Arc<Map<String, Value>>,
    expires: Option<Duration>,
}

impl Introspection {
    /// Asks there, with this name and secret. Answers are believed for `ttl`, 30 seconds and the token's own life at most, and a no for 5
    /// seconds; zero asks every time.
    pub fn new(
        http: HttpClient,
        url: &str,
        (id, secret): (&str, &str),
        ttl: Duration,
    ) -> Result<Self, ClientError> {
        Self::with_clock(http, url, (id, secret), (ttl, SystemClock))
    }

    /// With a clock that tests hold still.
    pub fn with_clock(
        http: HttpClient,
        url: &str,
        (id, secret): (&str, &str),
        (ttl, clock): (Duration, impl Clock + 'static),
    ) -> Result<Self, ClientError> {
        // Before the first token goes there.
        address(url)?;
        Ok(Self {
            endpoint: Arc::new(Endpoint {
                http,
                url: url.to_owned(),
                authorization: basic(id, secret)?,
                signed: None,
            }),
            clock: Box::new(clock),
            ttl: ttl.min(LONGEST_TTL),
            questions: Cache::new(CAPACITY),
            asking: Mutex::default(),
        })
    }

    /// Asks for signed answers, and takes no others: those of this issuer to the resource server that asks by the name `id`.
    pub fn signed(
        mut self,
        (issuer, id): (&str, &str),
        keys: (Keys, &[Algorithm]),
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ClientError> {
        let mut endpoint = Endpoint::clone(&self.endpoint);
        endpoint.signed = Some(Arc::new(SignedAnswers::new((issuer, id), keys, clock)?));
        self.endpoint = Arc::new(endpoint);
        Ok(self)
    }

    /// What the server says. Without an answer there is no yes: the error is the caller's to turn into 503.
    pub async fn ask(&self, token: &str) -> Result<IntrospectionResponse, ClientError> {
        Ok(self.answer(token).await?.response)
    }

    /// As [`Introspection::ask`], with every member of the answer as it came; `None` when the token is not active. Nobody has looked at them:
    /// whose token it is and for whom is the caller's to check.
    pub async fn claims(&self, token: &str) -> Result<Option<Arc<Map<String, Value>>>, ClientError> {
        let answer = self.answer(token).await?;
        Ok(answer.response.active.then_some(answer.told))
    }

    async fn answer(&self, token: &str) -> Result<Answer, ClientError> {
        if self.ttl.is_zero() {
            self.endpoint.ask(token).await
        } else {
            let gone = || ClientError::Unreachable(format!("{}: nobody asks any more", self.endpoint.url));
            self.question(token)
                .flight
                .wait()
                .await
                .unwrap_or_else(|| Err(gone()))
        }
    }

    /// The question that was put about this token, when its answer still holds or is still to come; a new one otherwise.
    fn question(&self, token: &str) -> Question {
        let now = self.clock.since_epoch();
        let key = primitive::sha256(token.as_bytes());
        let known = || {
            let question = self.questions.get(&key);
            question.filter(|question| question.holds(now, self.ttl))
        };
        if let Some(question) = known() {
            return question;
        }
        let _one_at_a_time = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        known().unwrap_or_else(|| {
            let (endpoint, token) = (self.endpoint.clone(), token.to_owned());
            let question = Question {
                asked: now,
                flight: Flight::start(async move { endpoint.ask(&token).await }),
            };
            self.questions.insert(key, question.clone());
            question
        })
    }
}

impl Question {
    /// A failure is not remembered, but whoever waited for it shares it.
    fn holds(&self, now: Duration, ttl: Duration) -> bool {
        let recent = (self.asked..self.asked + ttl).contains(&now);
        match self.flight.answer() {
            Some(Ok(answer)) if answer.response.active => {
                recent && answer.expires.is_none_or(|expires| now < expires)
            }
            // A token that is not active yet may be in a moment.
            Some(Ok(_)) => (self.asked..self.asked + ttl.min(NEGATIVE_TTL)).contains(&now),
            Some(Err(_)) => false,
            None => recent && !self.flight.is_over(),
        }
    }
}

impl Endpoint {
    async fn ask(&self, token: &str) -> Result<Answer, ClientError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        let wanted = match &self.signed {
            Some(_) => MEDIA_TYPE,
            None => "application/json",
        };
        headers.insert(header::ACCEPT, HeaderValue::from_static(wanted));
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token)
            .finish();
        let answer = self.http.post_form(&self.url, headers, form).await?;
        let invalid = |_| ClientError::Invalid(format!("{} gave no introspection answer", self.url));
        let told: Map<String, Value> = match &self.signed {
            Some(signed) => signed.read(&self.url, answer).await?,
            None => {
                let body = answer.ok(&self.url)?;
                carnet_jose::json::check_object(&body, 32)
                    .map_err(|error| ClientError::Invalid(format!("{}: {error}", self.url)))?;
                serde_json::from_slice(&body).map_err(invalid)?
            }
        };
        let expires = told.get("exp").and_then(Value::as_u64).map(Duration::from_secs);
        let response = IntrospectionResponse::deserialize(&told).map_err(invalid)?;
        Ok(Answer {
            response,
            told: Arc::new(told),
            expires,
        })
    }
}

impl std::fmt::Debug for Introspection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Introspection")
            .field("url", &self.endpoint.url)
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}

/// The most answers that are remembered.
const CAPACITY: usize = 10_000;
const LONGEST_TTL: Duration = Duration::from_secs(30);
/// How long a no is believed at most.
const NEGATIVE_TTL: Duration = Duration::from_secs(5);
