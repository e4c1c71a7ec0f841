//! An issuer for tests: tokens without a server, accepted by a guard without a network.
//!
//! ```
//! use axum::{Router, body::Body, http::Request, routing::get};
//! use carnet_guard::{Auth, testing::TestIssuer};
//! use tower::ServiceExt as _;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let issuer = TestIssuer::new();
//! let guard = issuer.resource_server("https://api.example.com").build().await.unwrap();
//! let app = Router::new().route("/me", get(async |auth: Auth| auth.sub().to_owned())).layer(guard.layer());
//!
//! let token = issuer.token("alice").scope("read:orders").role("editor").sign();
//! let request = Request::get("/me").header("authorization", format!("Bearer {token}"));
//! let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
//! assert_eq!(response.status(), 200);
//! # }
//! ```

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use carnet_client::clock::{Clock, SystemClock};
use carnet_jose::{Algorithm, AnySigningKey, AnyVerifyingKey, Signer, TokenType};
use carnet_oauth::{identity_assertion, service_token};
use serde_json::{Map, Value};

use crate::from_gateway::ByAssertion;
use crate::issuer::Issuer;
use crate::resource_server::{Builder, ResourceServer};

/// Makes tokens for tests.
pub struct TestIssuer(Maker);

/// The `iss` of its tokens.
pub const ISSUER: &str = "https://issuer.test";

/// Makes what a gateway says of callers (`X-Identity-Assertion`), for tests of services behind one.
///
/// ```
/// use axum::{Router, body::Body, http::Request, routing::get};
/// use carnet_guard::{Auth, testing::TestGateway};
/// use tower::ServiceExt as _;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let gateway = TestGateway::new();
/// let guard = gateway.in_front_of("orders").build().await.unwrap();
/// let app = Router::new().route("/me", get(async |auth: Auth| auth.sub().to_owned())).layer(guard.layer());
///
/// let assertion = gateway.assertion("alice").role("editor").sign();
/// let request = Request::get("/me").header("x-identity-assertion", assertion);
/// let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
/// assert_eq!(response.status(), 200);
/// # }
/// ```
pub struct TestGateway {
    users: Maker,
    services: Maker,
}

/// The `iss` of its assertions.
pub const GATEWAY: &str = "https://gateway.test";

/// A key, and what it signs.
struct Maker {
    signer: Signer,
    key: AnyVerifyingKey,
    clock: Arc<dyn Clock>,
    audience: OnceLock<String>,
    made: AtomicU64,
}

impl Maker {
    #[expect(clippy::expect_used, reason = "for tests, where a panic is the report")]
    fn new(token_type: TokenType, clock: Arc<dyn Clock>) -> Self {
        let key = AnySigningKey::generate(Algorithm::Es256).expect("the machine gives randomness");
        Self::of(key, token_type, clock)
    }

    #[expect(clippy::expect_used, reason = "for tests, where a panic is the report")]
    fn of(key: AnySigningKey, token_type: TokenType, clock: Arc<dyn Clock>) -> Self {
        let public = key.verifying_key();
        Self {
            signer: Signer::new(key, token_type, Some("test".to_owned())).expect("the header is JSON"),
            key: public,
            clock,
            audience: OnceLock::new(),
            made: AtomicU64::new(0),
        }
    }

    fn token(&self, issuer: &str, sub: &str, seconds: u64) -> TestToken<'_> {
        let now = self.clock.since_epoch().as_secs();
        let token = TestToken {
            maker: self,
            claims: Map::new(),
        };
        let token = token
            .claim("iss", issuer)
            .claim("sub", sub)
            .claim("client_id", "test")
            .claim("iat", now)
            .claim("exp", now + seconds);
        match self.audience.get() {
            Some(audience) => token.audience(audience),
            None => token,
        }
    }
}

impl TestIssuer {
    /// With a key that nobody else has.
    ///
    /// # Panics
    /// When the machine gives no randomness.
    pub fn new() -> Self {
        Self::with_clock(SystemClock)
    }

    /// Whose tokens and resource servers live by this clock; see [`TestClock`].
    ///
    /// # Panics
    /// When the machine gives no randomness.
    pub fn with_clock(clock: impl Clock + 'static) -> Self {
        Self(Maker::new(TokenType::AccessToken, Arc::new(clock)))
    }

    /// A resource server that believes this issuer. Tokens are meant for the first one, unless they say otherwise.
    pub fn resource_server(&self, audience: &str) -> Builder {
        self.0.audience.get_or_init(|| audience.to_owned());
        ResourceServer::new(audience)
            .issuer(Issuer::key(ISSUER, self.0.key.clone()))
            .clock(self.0.clock.clone())
    }

    /// A token about this user, valid for a quarter of an hour.
    pub fn token(&self, sub: &str) -> TestToken<'_> {
        let made = self.0.made.fetch_add(1, Ordering::Relaxed);
        let token = self.0.token(ISSUER, sub, 900);
        token.claim("jti", format!("{sub}-{made}"))
    }
}

impl Default for TestIssuer {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for TestIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestIssuer")
            .field("audience", &self.0.audience)
            .finish_non_exhaustive()
    }
}

impl TestGateway {
    /// With a key that nobody else has.
    ///
    /// # Panics
    /// When the machine gives no randomness.
    pub fn new() -> Self {
        Self::with_clock(SystemClock)
    }

    /// Whose assertions and services live by this clock; see [`TestClock`].
    ///
    /// # Panics
    /// When the machine gives no randomness.
    #[expect(clippy::expect_used, reason = "for tests, where a panic is the report")]
    pub fn with_clock(clock: impl Clock + 'static) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(clock);
        let key = AnySigningKey::generate(Algorithm::Es256).expect("the machine gives randomness");
        let same = key.to_jwk_private().and_then(|jwk| AnySigningKey::from_jwk(&jwk));
        let same = same.expect("a key that was made is a key");
        let users = TokenType::Other(identity_assertion::TYPE);
        let services = TokenType::Other(identity_assertion::SERVICE_TYPE);
        Self {
            users: Maker::of(key, users, clock.clone()),
            services: Maker::of(same, services, clock),
        }
    }

    /// A service that believes this gateway. Assertions are meant for the first one, unless they say otherwise.
    pub fn in_front_of(&self, service: &str) -> ByAssertion {
        for maker in [&self.users, &self.services] {
            maker.audience.get_or_init(|| service.to_owned());
        }
        ByAssertion::new(Issuer::key(GATEWAY, self.users.key.clone()), service.to_owned())
            .clock(self.users.clock.clone())
    }

    /// An assertion about this user, who came with a token of [`ISSUER`]; valid for a minute.
    pub fn assertion(&self, sub: &str) -> TestToken<'_> {
        let subject = identity_assertion::subject(ISSUER, sub);
        self.users.token(GATEWAY, sub, 60).claim("sub_id", subject)
    }

    /// An assertion about this service of [`ISSUER`], which calls in its own name; valid for a minute.
    pub fn service_assertion(&self, name: &str) -> TestToken<'_> {
        let id = service_token::id(ISSUER, name);
        self.services.token(GATEWAY, &id, 60).claim("client_id", name)
    }
}

impl Default for TestGateway {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for TestGateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestGateway")
            .field("audience", &self.users.audience)
            .finish_non_exhaustive()
    }
}

/// A token in the making.
pub struct TestToken<'i> {
    maker: &'i Maker,
    claims: Map<String, Value>,
}

impl TestToken<'_> {
    /// For whom it is meant.
    pub fn audience(self, audience: &str) -> Self {
        self.claim("aud", audience)
    }

    /// What it may be used for, space-separated.
    pub fn scope(self, scope: &str) -> Self {
        self.claim("scope", scope)
    }

    /// Adds a role.
    pub fn role(self, role: &str) -> Self {
        self.add("roles", role)
    }

    /// Adds a permission.
    pub fn permission(self, permission: &str) -> Self {
        self.add("permissions", permission)
    }

    /// Expired this long ago.
    pub fn expired(self, ago: Duration) -> Self {
        let exp = self.maker.clock.since_epoch().saturating_sub(ago).as_secs();
        self.claim("exp", exp)
    }

    /// Sets any claim.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// The token.
    ///
    /// # Panics
    /// When the machine gives no randomness.
    #[expect(clippy::expect_used, reason = "for tests, where a panic is the report")]
    pub fn sign(self) -> String {
        self.maker.signer.sign(&self.claims).expect("claims are JSON")
    }

    fn add(mut self, name: &str, word: &str) -> Self {
        let words = self
            .claims
            .entry(name)
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(words) = words {
            words.push(word.into());
        }
        self
    }
}

impl std::fmt::Debug for TestToken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestToken")
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}

/// Time that stands still until it is moved. Clones show the same time.
///
/// ```
/// use carnet_guard::{Clock as _, testing::TestClock};
/// use std::time::Duration;
///
/// let clock = TestClock::at(1_800_000_000);
/// clock.wait(Duration::from_secs(60));
/// assert_eq!(clock.since_epoch().as_secs(), 1_800_000_060);
/// ```
#[derive(Clone, Debug)]
pub struct TestClock(Arc<AtomicU64>);

impl TestClock {
    /// This many seconds after 1970 began.
    pub fn at(seconds: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seconds.saturating_mul(1000))))
    }

    /// Lets this much time pass.
    pub fn wait(&self, time: Duration) {
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn since_epoch(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}
