//! Asking whether a token may be used now.
//!
//! Spec: RFC 7662 · RFC 6749 §2.3.1 (client_secret_basic)

use std::sync::Arc;
use std::time::Duration;

use carnet_jose::primitive;
use carnet_oauth::introspection::IntrospectionResponse;
use http::{HeaderMap, HeaderValue, header};
use quick_cache::sync::Cache;
use tokio::sync::OnceCell;

use crate::clock::{Clock, SystemClock};
use crate::error::ClientError;
use crate::http::HttpClient;

/// The most answers that are remembered.
const CAPACITY: usize = 10_000;

/// An introspection endpoint, and what it said a moment ago.
pub struct Introspection {
    http: HttpClient,
    clock: Box<dyn Clock>,
    url: String,
    authorization: HeaderValue,
    ttl: Duration,
    /// By the token's SHA-256: nobody who reads our memory finds a token.
    answers: Cache<[u8; 32], Arc<Answer>>,
}

struct Answer {
    asked: Duration,
    /// Everybody who asks about the same token waits for the same answer.
    response: OnceCell<IntrospectionResponse>,
}

impl Introspection {
    /// Asks there, with this name and secret. Answers are believed for `ttl`; zero asks every time.
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
        let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let credentials =
            data_encoding::BASE64.encode(format!("{}:{}", encode(id), encode(secret)).as_bytes());
        let mut authorization = HeaderValue::from_str(&format!("Basic {credentials}"))
            .map_err(|_| ClientError::Invalid("the credentials are no header".to_owned()))?;
        authorization.set_sensitive(true);
        Ok(Self {
            http,
            clock: Box::new(clock),
            url: url.to_owned(),
            authorization,
            ttl,
            answers: Cache::new(CAPACITY),
        })
    }

    /// What the server says. Without an answer there is no yes: the error is the caller's to turn into 503.
    pub async fn ask(&self, token: &str) -> Result<IntrospectionResponse, ClientError> {
        if self.ttl.is_zero() {
            return self.fetch(token).await;
        }
        let now = self.clock.since_epoch();
        let key = primitive::sha256(token.as_bytes());
        let known = self
            .answers
            .get(&key)
            .filter(|answer| now < answer.asked + self.ttl && now >= answer.asked);
        let answer = known.unwrap_or_else(|| {
            let answer = Arc::new(Answer {
                asked: now,
                response: OnceCell::new(),
            });
            self.answers.insert(key, answer.clone());
            answer
        });
        let response = answer.response.get_or_try_init(|| self.fetch(token)).await?;
        Ok(response.clone())
    }

    async fn fetch(&self, token: &str) -> Result<IntrospectionResponse, ClientError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token)
            .finish();
        let body = self
            .http
            .post_form(&self.url, headers, form)
            .await?
            .ok(&self.url)?;
        carnet_jose::json::check_object(&body, 32)
            .map_err(|error| ClientError::Invalid(format!("{}: {error}", self.url)))?;
        serde_json::from_slice(&body)
            .map_err(|_| ClientError::Invalid(format!("{} gave no introspection answer", self.url)))
    }
}

impl std::fmt::Debug for Introspection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Introspection")
            .field("url", &self.url)
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}
