//! A token for the next service, for the one that a caller has sent.
//!
//! Spec: RFC 8693 §2 · RFC 8707 §2 (resource)

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use carnet_jose::primitive;
use carnet_oauth::grant_type::GrantType;
use carnet_oauth::token_exchange::ACCESS_TOKEN;
use carnet_oauth::token_response::TokenResponse;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use quick_cache::sync::Cache;

use crate::clock::Clock;
use crate::credentials::basic;
use crate::error::ClientError;
use crate::flight::Flight;
use crate::http::HttpClient;
use crate::token::{read, refused};

/// A token endpoint that exchanges tokens, and what it gave a moment ago.
pub struct Exchange {
    endpoint: Arc<Endpoint>,
    clock: Arc<dyn Clock>,
    /// By the SHA-256 of the token and of what it was exchanged for.
    given: Cache<[u8; 32], Asked>,
    /// Held while a token is asked for, not until it is there: two callers never ask for the same one.
    asking: Mutex<()>,
}

/// For which service, and with which scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The `resource` (RFC 8707 §2): what the new token's `aud` names.
    pub resource: String,
    /// Space-separated; as wide as the caller's token allows when absent.
    pub scope: Option<String>,
}

struct Endpoint {
    http: HttpClient,
    url: String,
    authorization: HeaderValue,
}

#[derive(Clone)]
struct Asked {
    flight: Flight<Result<Given, ClientError>>,
}

#[derive(Clone)]
struct Given {
    token: Arc<str>,
    until: Duration,
}

impl Exchange {
    /// Asks there, as this client.
    pub fn new(
        http: HttpClient,
        url: &str,
        (id, secret): (&str, &str),
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ClientError> {
        crate::http::address(url)?;
        Ok(Self {
            endpoint: Arc::new(Endpoint {
                http,
                url: url.to_owned(),
                authorization: basic(id, secret)?,
            }),
            clock,
            given: Cache::new(CAPACITY),
            asking: Mutex::default(),
        })
    }

    /// The token for the next service. It is kept until 30 seconds before it expires; everybody who asks for the same one at the same time
    /// waits for the same answer.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when the server says no. A refusal is not remembered.
    pub async fn token(&self, subject_token: &str, wanted: &Wanted) -> Result<Arc<str>, ClientError> {
        let gone = || ClientError::Unreachable(format!("{}: nobody asks any more", self.endpoint.url));
        let asked = self.asked(subject_token, wanted);
        let given = asked.flight.wait().await.unwrap_or_else(|| Err(gone()))?;
        Ok(given.token)
    }

    fn asked(&self, subject_token: &str, wanted: &Wanted) -> Asked {
        let now = self.clock.since_epoch();
        let scope = wanted.scope.as_deref().unwrap_or_default();
        let key = primitive::sha256(format!("{subject_token}\0{}\0{scope}", wanted.resource).as_bytes());
        let known = || self.given.get(&key).filter(|asked| asked.holds(now));
        if let Some(asked) = known() {
            return asked;
        }
        let _one_at_a_time = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        known().unwrap_or_else(|| {
            let (endpoint, token, wanted) = (self.endpoint.clone(), subject_token.to_owned(), wanted.clone());
            let asked = Asked {
                flight: Flight::start(async move { endpoint.ask(&token, &wanted, now).await }),
            };
            self.given.insert(key, asked.clone());
            asked
        })
    }
}

impl Asked {
    fn holds(&self, now: Duration) -> bool {
        match self.flight.answer() {
            Some(Ok(given)) => now < given.until,
            Some(Err(_)) => false,
            None => !self.flight.is_over(),
        }
    }
}

impl Endpoint {
    async fn ask(&self, token: &str, wanted: &Wanted, now: Duration) -> Result<Given, ClientError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", GrantType::TokenExchange.name())
            .append_pair("subject_token", token)
            .append_pair("subject_token_type", ACCESS_TOKEN)
            .append_pair("resource", &wanted.resource)
            .extend_pairs(wanted.scope.as_ref().map(|scope| ("scope", scope)))
            .finish();
        let answer = self.http.post_form(&self.url, headers, form).await?;
        if answer.status != StatusCode::OK {
            return Err(refused(&answer, &self.url));
        }
        let given: TokenResponse = read(&answer.body, &self.url)?;
        let visible = given.access_token.bytes().all(|byte| byte.is_ascii_graphic());
        // §2.2.1: N_A would be no access token; one that is bound to a key is of no use without that key.
        if !given.token_type.eq_ignore_ascii_case("Bearer") || !visible || given.access_token.is_empty() {
            return Err(ClientError::Invalid(format!(
                "{} answered with no bearer token",
                self.url
            )));
        }
        let life = Duration::from_secs(given.expires_in).saturating_sub(AHEAD);
        Ok(Given {
            token: given.access_token.into(),
            until: now + life,
        })
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange")
            .field("url", &self.endpoint.url)
            .finish_non_exhaustive()
    }
}

/// The most tokens that are kept.
const CAPACITY: usize = 10_000;
/// So long before its end a token is not handed out any more.
const AHEAD: Duration = Duration::from_secs(30);
