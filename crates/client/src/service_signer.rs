//! A service that calls others: short tokens that it signs itself, one for each service that it calls.
//!
//! Spec: RFC 7519 §4.1 · RFC 7523 §2.1, §2.2, §3 (assertions of the same key) · RFC 8725 §3.9, §3.11 · RFC 9449 §4.2 (htm, htu)

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use carnet_jose::{AnySigningKey, Jwk, Signer, TokenType, base64url, primitive};
use carnet_oauth::access_token::Audience;
use carnet_oauth::client_auth::AssertionClaims;
use carnet_oauth::dpop;
use carnet_oauth::service_token::{ALGORITHMS, LONGEST_SECONDS, ServiceTokenClaims, TYPE, id, is_name};
use http::{HeaderValue, Method, Request, header};

use crate::clock::{Clock, SystemClock};
use crate::error::ClientError;
use crate::key_file;

/// Signs as one service. Cheap to clone; clones share what was signed.
///
/// ```no_run
/// use carnet_client::service_signer::ServiceSigner;
///
/// # fn run() -> Result<(), carnet_client::error::ClientError> {
/// let orders = ServiceSigner::from_env()?; // CARNET_ISSUER, CARNET_SERVICE, CARNET_SERVICE_KEY_FILE
/// let mut request = http::Request::post("https://billing.example.com/invoices").body(()).unwrap();
/// orders.attach(&mut request, "billing")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ServiceSigner(Arc<Parts>);

struct Parts {
    issuer: String,
    name: String,
    id: String,
    tokens: Signer,
    assertions: Signer,
    grants: Signer,
    life: u64,
    clock: Box<dyn Clock>,
    /// One for each service that is called, until four fifths of its life are over.
    made: Mutex<HashMap<String, Made>>,
}

struct Made {
    header: HeaderValue,
    fresh: std::ops::Range<u64>,
}

impl ServiceSigner {
    /// The service `name` of the authorization server `issuer`, with its key: a private JWK, or a PEM file of which the key's thumbprint is the
    /// `kid`. The file must be its owner's alone.
    ///
    /// # Errors
    ///
    /// [`ClientError::File`] when it is not, or holds no ES256 or Ed25519 key; [`ClientError::Invalid`] for what is no service's name.
    pub fn from_file(issuer: &str, name: &str, file: &Path) -> Result<Self, ClientError> {
        let text = key_file::private_text(file)?;
        let unusable = |why: &dyn std::fmt::Display| ClientError::File(format!("{}: {why}", file.display()));
        let (key, kid) = read(&text).map_err(|error| unusable(&error))?;
        Self::new(issuer, name, (key, kid)).map_err(|error| unusable(&error))
    }

    /// As `CARNET_ISSUER`, `CARNET_SERVICE` and `CARNET_SERVICE_KEY_FILE` say.
    ///
    /// # Errors
    ///
    /// [`ClientError::Invalid`] when one of them is missing; as [`ServiceSigner::from_file`].
    pub fn from_env() -> Result<Self, ClientError> {
        let read =
            |name: &str| std::env::var(name).map_err(|_| ClientError::Invalid(format!("{name} is not set")));
        let (issuer, name) = (read("CARNET_ISSUER")?, read("CARNET_SERVICE")?);
        Self::from_file(&issuer, &name, Path::new(&read("CARNET_SERVICE_KEY_FILE")?))
    }

    /// With a key that is at hand, and the `kid` under which the authorization server knows it.
    ///
    /// # Errors
    ///
    /// [`ClientError::Invalid`] when it signs neither ES256 nor Ed25519, or for what is no service's name.
    pub fn new(issuer: &str, name: &str, key: (AnySigningKey, String)) -> Result<Self, ClientError> {
        Self::with_clock(issuer, name, key, SystemClock)
    }

    /// With a clock that tests hold still.
    ///
    /// # Errors
    ///
    /// As [`ServiceSigner::new`].
    pub fn with_clock(
        issuer: &str,
        name: &str,
        (key, kid): (AnySigningKey, String),
        clock: impl Clock + 'static,
    ) -> Result<Self, ClientError> {
        if !is_name(name) {
            return Err(ClientError::Invalid(format!("{name:?} is no name of a service")));
        }
        if !ALGORITHMS.contains(&key.algorithm()) {
            let other = key.algorithm().name();
            return Err(ClientError::Invalid(format!(
                "a service signs with ES256 or Ed25519, not with {other}"
            )));
        }
        let text = key.to_jwk_private().map_err(signing)?;
        let signer = |token_type| {
            let key = AnySigningKey::from_jwk(&text).map_err(signing)?;
            Signer::new(key, token_type, Some(kid.clone())).map_err(signing)
        };
        Ok(Self(Arc::new(Parts {
            issuer: issuer.to_owned(),
            name: name.to_owned(),
            id: id(issuer, name),
            tokens: signer(TokenType::Other(TYPE))?,
            assertions: signer(TokenType::Other("client-authentication+jwt"))?,
            grants: signer(TokenType::Other("authorization-grant+jwt"))?,
            life: DEFAULT_SECONDS,
            clock: Box::new(clock),
            made: Mutex::default(),
        })))
    }

    /// Its tokens live as long as this, 10 seconds to five minutes; a minute when not said. Must be said before the signer is cloned.
    pub fn life(mut self, life: Duration) -> Self {
        if let Some(parts) = Arc::get_mut(&mut self.0) {
            parts.life = life.as_secs().clamp(SHORTEST_SECONDS, LONGEST_SECONDS);
        }
        self
    }

    /// Its `client_id`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its name in tokens: `iss` and `sub`.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Its authorization server.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Signs the request: from now on it comes from this service and is for the service `target` (its `client_id`) alone. What its
    /// `Authorization` header said before is gone.
    ///
    /// Requests that change nothing share a token for a while; each of the others gets its own, so that the target may take it once.
    ///
    /// # Errors
    ///
    /// [`ClientError::Invalid`] for what is no service's name, and when the machine cannot sign.
    pub fn attach<B>(&self, request: &mut Request<B>, target: &str) -> Result<(), ClientError> {
        let value = match request.method().is_safe() {
            true => self.authorization(target)?,
            false => self.sign(target, None)?.0,
        };
        request.headers_mut().insert(header::AUTHORIZATION, value);
        Ok(())
    }

    /// As [`ServiceSigner::attach`], with a token that names the method and the URL of this request (`htm`, `htu`) and goes with no other one,
    /// whatever its method. The request must have its whole URL: scheme, host and path. Query and fragment do not count.
    ///
    /// # Errors
    ///
    /// As [`ServiceSigner::bound_authorization`].
    pub fn attach_bound<B>(&self, request: &mut Request<B>, target: &str) -> Result<(), ClientError> {
        let value = self.bound_authorization(target, request.method(), &request.uri().to_string())?;
        request.headers_mut().insert(header::AUTHORIZATION, value);
        Ok(())
    }

    /// The value of an `Authorization` header for one request to the service `target`, and no other: it names this method and this URL.
    ///
    /// # Errors
    ///
    /// [`ClientError::Invalid`] for what is no whole URL of http or https, or names a user; as [`ServiceSigner::attach`].
    pub fn bound_authorization(
        &self,
        target: &str,
        method: &Method,
        url: &str,
    ) -> Result<HeaderValue, ClientError> {
        let htu = url.split(['?', '#']).next().and_then(dpop::htu);
        let htu = htu.filter(|htu| !names_a_user(htu)).ok_or_else(|| {
            // What it is instead may hold a password.
            ClientError::Invalid(
                "a token for one request needs its whole URL, of http or https and without a user".to_owned(),
            )
        })?;
        Ok(self.sign(target, Some((method, htu)))?.0)
    }

    /// The value of an `Authorization` header for the service `target`, for programs that make their requests by another library. The same
    /// one until a fifth of its life is left.
    ///
    /// # Errors
    ///
    /// As [`ServiceSigner::attach`].
    pub fn authorization(&self, target: &str) -> Result<HeaderValue, ClientError> {
        let now = self.now();
        {
            let made = self.0.made.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = made.get(target).filter(|known| known.fresh.contains(&now)) {
                return Ok(known.header.clone());
            }
        }
        let (header, iat) = self.sign(target, None)?;
        let known = Made {
            header: header.clone(),
            fresh: iat..iat + self.0.life * 4 / 5,
        };
        let mut made = self.0.made.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever calls by names that requests bring does not fill the memory.
        if made.len() >= MOST_TARGETS {
            made.clear();
        }
        made.insert(target.to_owned(), known);
        Ok(header)
    }

    /// Proves the service to its authorization server: the parameter `client_assertion` (RFC 7523 §2.2). For one request.
    ///
    /// # Errors
    ///
    /// [`ClientError::Invalid`] when the machine cannot sign.
    pub fn client_assertion(&self) -> Result<String, ClientError> {
        self.assert_with(&self.0.assertions)
    }

    /// The parameter `assertion` of the grant type `jwt-bearer` (RFC 7523 §2.1), for a token of the service's own. For one request.
    ///
    /// # Errors
    ///
    /// As [`ServiceSigner::client_assertion`].
    pub fn grant_assertion(&self) -> Result<String, ClientError> {
        self.assert_with(&self.0.grants)
    }

    fn assert_with(&self, signer: &Signer) -> Result<String, ClientError> {
        let now = self.now();
        let claims = AssertionClaims {
            iss: self.0.name.clone(),
            sub: self.0.name.clone(),
            // For the issuer alone: an audience that another server shares could be replayed there.
            aud: Audience::One(self.0.issuer.clone()),
            jti: random()?,
            exp: now + DEFAULT_SECONDS,
            iat: Some(now),
            client_id: None,
            scope: None,
        };
        signer.sign(&claims).map_err(signing)
    }

    /// A token that nobody has, for one request or for any, and when it was made.
    fn sign(
        &self,
        target: &str,
        request: Option<(&Method, String)>,
    ) -> Result<(HeaderValue, u64), ClientError> {
        if !is_name(target) {
            return Err(ClientError::Invalid(format!(
                "{target:?} is no name of a service"
            )));
        }
        let now = self.now();
        let (htm, htu) = request.map(|(method, htu)| (method.to_string(), htu)).unzip();
        let claims = ServiceTokenClaims {
            iss: self.0.id.clone(),
            sub: self.0.id.clone(),
            aud: Audience::One(id(&self.0.issuer, target)),
            iat: now,
            exp: now + self.0.life,
            jti: random()?,
            htm,
            htu,
            cnf: None,
        };
        let mut text = "Bearer ".to_owned();
        self.0.tokens.sign_into(&claims, &mut text).map_err(signing)?;
        let value = HeaderValue::from_str(&text);
        let mut value = value.map_err(|_| ClientError::Invalid("the token is no header".to_owned()))?;
        // So that `Debug` of a request does not show it.
        value.set_sensitive(true);
        Ok((value, now))
    }

    fn now(&self) -> u64 {
        self.0.clock.since_epoch().as_secs()
    }
}

impl std::fmt::Debug for ServiceSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceSigner")
            .field("id", &self.0.id)
            .finish_non_exhaustive()
    }
}

/// Whether a user or a password stands in front of the host.
fn names_a_user(url: &str) -> bool {
    let mut pieces = url.split('/');
    pieces.nth(2).is_some_and(|authority| authority.contains('@'))
}

/// A key and its name.
fn read(text: &str) -> Result<(AnySigningKey, String), carnet_jose::Error> {
    if text.trim_start().starts_with('{') {
        let key = AnySigningKey::from_jwk(text)?;
        let kid = match Jwk::parse(text)?.key_id() {
            Some(kid) => kid.to_owned(),
            None => key.thumbprint()?,
        };
        return Ok((key, kid));
    }
    let keys = ALGORITHMS
        .iter()
        .map(|algorithm| AnySigningKey::from_pem(text, *algorithm));
    let mut first = None;
    for read in keys {
        match read {
            Ok(key) => {
                let kid = key.thumbprint()?;
                return Ok((key, kid));
            }
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or(carnet_jose::Error::KeyInvalid))
}

fn random() -> Result<String, ClientError> {
    let mut bytes = [0; 16];
    primitive::fill_random(&mut bytes).map_err(signing)?;
    Ok(base64url::encode(&bytes))
}

fn signing(error: carnet_jose::Error) -> ClientError {
    ClientError::Invalid(format!("the service's key cannot be used: {error}"))
}

/// How long a token lives when nothing is said.
const DEFAULT_SECONDS: u64 = 60;
const SHORTEST_SECONDS: u64 = 10;
const MOST_TARGETS: usize = 1_000;
