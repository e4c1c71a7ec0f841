//! Building a verifier: every question is decided before the first token, or it is not built.
//!
//! Spec: RFC 8725 §3.1, §3.8, §3.9, §3.11

use std::time::Duration;

use crate::algorithm::Algorithm;
use crate::error::Error;
use crate::jwk_set::KeySource;
use crate::jwt::policy::Policy;
use crate::jwt::reading::Required;
use crate::jwt::token_type::TokenType;
use crate::jwt::verify::Verifier;

/// The most leeway that a policy may give.
const MAX_LEEWAY: Duration = Duration::from_secs(600);
const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);

impl Verifier {
    /// Starts a policy. Algorithms, token type, issuer and audience must each be decided (RFC 8725 §3.1, §3.11, §3.8, §3.9).
    pub fn builder(source: impl KeySource + 'static) -> VerifierBuilder {
        VerifierBuilder::new(Box::new(source))
    }
}

/// Builds a [`Verifier`], where an example stands. Our own: RFC 8725 §3 says what to check, not how to ask.
pub struct VerifierBuilder {
    source: Box<dyn KeySource>,
    algorithms: Vec<Algorithm>,
    token_type: Option<TokenType>,
    issuer: Option<Option<String>>,
    audiences: Option<Vec<String>>,
    leeway: Duration,
    max_age: Option<Duration>,
    required: Vec<String>,
    expiry: bool,
    expired_too: bool,
}

impl VerifierBuilder {
    fn new(source: Box<dyn KeySource>) -> Self {
        Self {
            source,
            algorithms: Vec::new(),
            token_type: None,
            issuer: None,
            audiences: None,
            leeway: DEFAULT_LEEWAY,
            max_age: None,
            required: Vec::new(),
            expiry: true,
            expired_too: false,
        }
    }

    /// The algorithms that are accepted (RFC 8725 §3.1); a token of any other is [`Error::AlgorithmNotAllowed`].
    pub fn algorithms(mut self, algorithms: &[Algorithm]) -> Self {
        self.algorithms = algorithms.to_vec();
        self
    }

    /// The `typ` (RFC 7515 §4.1.9) that a token must have (RFC 8725 §3.11); any other is [`Error::TokenTypeMismatch`].
    pub fn token_type(mut self, token_type: TokenType) -> Self {
        self.token_type = Some(token_type);
        self
    }

    /// The issuer, compared byte for byte (RFC 7519 §4.1.1, RFC 8725 §3.8); any other is [`Error::IssuerMismatch`], none
    /// [`Error::ClaimMissing`].
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(Some(issuer.into()));
        self
    }

    /// Accepts any issuer whose token one of the keys has signed: less than RFC 8725 §3.8 asks for.
    pub fn without_issuer_check(mut self) -> Self {
        self.issuer = Some(None);
        self
    }

    /// An audience that is ours, compared byte for byte (RFC 7519 §4.1.3, RFC 8725 §3.9). Called several times: any of them.
    /// A token for others is [`Error::AudienceMismatch`], for nobody [`Error::ClaimMissing`].
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.get_or_insert_default().push(audience.into());
        self
    }

    /// Accepts tokens that are meant for anybody: less than RFC 7519 §4.1.3 and RFC 8725 §3.9 ask for.
    pub fn without_audience_check(mut self) -> Self {
        self.audiences = Some(Vec::new());
        self
    }

    /// How far clocks may be apart (RFC 7519 §4.1.4, §4.1.5): 30 seconds when not said, ten minutes at most. Fractions of a second do not
    /// count.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// The longest time since `iat` (RFC 7519 §4.1.6) that a token is accepted for, whatever its `exp` says: `iat` must be there then, and
    /// not lie in the future. Seconds count, fractions do not. An older token is [`Error::TokenTooOld`], one without `iat`
    /// [`Error::ClaimMissing`], one from the future [`Error::IssuedInFuture`].
    ///
    /// ```
    /// use std::{sync::Arc, time::Duration};
    /// use carnet_jose::{Algorithm, AnySigningKey, Error, KeySet, Signer, TokenType, Verifier};
    ///
    /// let key = AnySigningKey::generate(Algorithm::Ed25519)?;
    /// let verifier = Verifier::builder(Arc::new(KeySet::pinned(key.verifying_key())?))
    ///     .algorithms(&[Algorithm::Ed25519])
    ///     .token_type(TokenType::Jwt)
    ///     .without_issuer_check()
    ///     .without_audience_check()
    ///     .leeway(Duration::ZERO)
    ///     .max_token_age(Duration::from_secs(300))
    ///     .build()?;
    /// let token = Signer::new(key, TokenType::Jwt, None)?.sign(&serde_json::json!({ "iat": 1_000, "exp": 5_000 }))?;
    /// assert!(verifier.verify_owned::<serde_json::Value>(&token, 1_300).is_ok());
    /// assert_eq!(verifier.verify_owned::<serde_json::Value>(&token, 1_301).unwrap_err(), Error::TokenTooOld);
    /// # Ok::<(), carnet_jose::Error>(())
    /// ```
    pub fn max_token_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Claims that must be there (RFC 7519 §4), beside `exp`; without one a token is [`Error::ClaimMissing`]. Called several times: all
    /// of them.
    pub fn require(mut self, names: &[&str]) -> Self {
        self.required.extend(names.iter().map(|name| (*name).to_owned()));
        self
    }

    /// Accepts tokens that never expire (RFC 7519 §4.1.4: `exp` is optional); an `exp` that is there still counts.
    pub fn without_expiry_check(mut self) -> Self {
        self.expiry = false;
        self
    }

    /// Accepts tokens that have expired as well: for what a token says of the past, such as an `id_token_hint` (OpenID Connect Core §3.1.2.1). It
    /// permits nothing any more.
    pub fn expired_too(mut self) -> Self {
        self.expired_too = true;
        self
    }

    /// The verifier, when every question is decided (RFC 8725 §3).
    ///
    /// # Errors
    ///
    /// [`Error::PolicyWithoutAlgorithms`], [`Error::PolicyWithoutTokenType`], [`Error::PolicyWithoutIssuer`],
    /// [`Error::PolicyWithoutAudience`]; [`Error::PolicyLeewayTooLong`] above ten minutes.
    pub fn build(self) -> Result<Verifier, Error> {
        if self.algorithms.is_empty() {
            return Err(Error::PolicyWithoutAlgorithms);
        }
        if self.leeway > MAX_LEEWAY {
            return Err(Error::PolicyLeewayTooLong);
        }
        let policy = Policy {
            algorithms: self.algorithms,
            token_type: self.token_type.ok_or(Error::PolicyWithoutTokenType)?,
            issuer: self.issuer.ok_or(Error::PolicyWithoutIssuer)?,
            audiences: self.audiences.ok_or(Error::PolicyWithoutAudience)?,
            leeway: self.leeway.as_secs(),
            max_age: self.max_age.map(|age| age.as_secs()),
            ticks: Required::new(&self.required),
            required: self.required,
            expiry: self.expiry,
            expired_too: self.expired_too,
        };
        Ok(Verifier::with(self.source, policy))
    }
}
