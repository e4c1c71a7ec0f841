//! Clients, ready to be asked: what each is registered with, and what that comes to.

use std::ops::Deref;
use std::sync::Arc;

use carnet_jose::{Error, KeySet, TokenType, Verifier, primitive};
use carnet_oauth::client_auth::{AssertionClaims, AuthMethod};
use carnet_oauth::grant_type::GrantType;

use crate::config::{self, ASSERTION_ALGORITHMS, Config, Ttl};
use crate::resource::OWN_LEEWAY;
use crate::secret_file;

/// The client that is meant when a login names none.
pub const FIRST_PARTY: &str = "first-party";

/// A program that asks for tokens. What it is registered with is read through it.
pub struct Client {
    registered: config::Client,
    /// Life of its access tokens.
    pub access_ttl: Ttl,
    /// How long an honest retry of a refresh is believed.
    pub refresh_grace: Ttl,
    /// What its proof of who it is is checked with.
    pub proof: Proof,
    /// When its registration last changed, in milliseconds; what was begun before does not count after. 0 in the configuration file.
    pub changed_at: i64,
}

/// What a client's proof of who it is is checked with.
pub enum Proof {
    /// Nothing: a public client.
    None,
    /// SHA-256 digests: two secrets may live side by side while a client changes over.
    Secrets(Vec<SecretDigest>),
    /// The client's public keys.
    Keys(Box<AssertionVerifiers>),
}

/// Both types that an assertion may have: none in particular (RFC 7523), or its own (draft-ietf-oauth-rfc7523bis §4).
pub struct AssertionVerifiers {
    plain: Verifier,
    typed: Verifier,
}

impl AssertionVerifiers {
    /// What the assertion says, if a key of the client has signed it for us.
    pub fn verify(&self, assertion: &str, now: u64) -> Result<AssertionClaims, Error> {
        let verified = match self.plain.verify_owned(assertion, now) {
            Err(Error::TokenTypeMismatch) => self.typed.verify_owned(assertion, now),
            other => other,
        };
        verified.map(|verified| verified.claims)
    }
}

/// The digest of a client's secret.
#[derive(Clone, Copy)]
pub struct SecretDigest {
    /// SHA-256.
    pub digest: [u8; 32],
    /// When it stops to count, in milliseconds.
    pub expires_at: Option<i64>,
}

impl Client {
    /// The built-in client of the login API.
    pub(crate) fn first_party(config: &Config) -> Self {
        let mut registered = config::Client::named(FIRST_PARTY);
        registered.scope = config.first_party.scope.clone();
        registered.origins = config.first_party.origins.clone();
        let mut client = Self::resolved(config, registered, Proof::None);
        if let Some(first) = &config.first_party.audience {
            client.registered.audiences.retain(|audience| audience != first);
            client.registered.audiences.insert(0, first.clone());
        }
        client
    }

    /// A client of the configuration file; reads the files that it names.
    pub(crate) fn configured(config: &Config, registered: &config::Client) -> Result<Self, String> {
        let mut registered = registered.clone();
        let secrets = match &registered.secret_file {
            Some(file) => vec![SecretDigest {
                digest: primitive::sha256(&secret_file::read_or_say(file)?),
                expires_at: None,
            }],
            None => Vec::new(),
        };
        if let Some(file) = &registered.jwks_file {
            let text = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
            let jwks =
                serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", file.display()))?;
            registered.jwks = Some(jwks);
        }
        Self::registered(config, registered, secrets)
    }

    /// A client with the digests of its secrets.
    pub(crate) fn registered(
        config: &Config,
        registered: config::Client,
        secrets: Vec<SecretDigest>,
    ) -> Result<Self, String> {
        let proof = match registered.auth_method {
            AuthMethod::None => Proof::None,
            AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost => Proof::Secrets(secrets),
            AuthMethod::PrivateKeyJwt => Proof::Keys(Box::new(assertion_verifiers(config, &registered)?)),
        };
        Ok(Self::resolved(config, registered, proof))
    }

    fn resolved(config: &Config, mut registered: config::Client, proof: Proof) -> Self {
        if registered.audiences.is_empty() {
            let every = config.resources.iter().map(|resource| resource.audience.clone());
            registered.audiences = every.collect();
        }
        Self {
            access_ttl: registered.access_ttl.unwrap_or(config.tokens.access_ttl),
            refresh_grace: registered.refresh_grace.unwrap_or(config.tokens.refresh_grace),
            registered,
            proof,
            changed_at: 0,
        }
    }

    /// Whether it logs users in at the login API; others ask at the token endpoint.
    pub fn uses_login_api(&self) -> bool {
        self.registered.grant_types.is_empty()
    }

    /// What people are shown of it.
    pub fn shown_name(&self) -> &str {
        self.registered.name.as_deref().unwrap_or(&self.registered.id)
    }

    /// Whether it may ask for tokens so.
    pub fn may(&self, grant_type: GrantType) -> bool {
        self.registered.grant_types.contains(&grant_type)
    }
}

impl Deref for Client {
    type Target = config::Client;

    fn deref(&self) -> &config::Client {
        &self.registered
    }
}

/// Checks assertions of one client (RFC 7523 §3): its keys, its name, and that we are meant.
fn assertion_verifiers(config: &Config, client: &config::Client) -> Result<AssertionVerifiers, String> {
    let wrong = |error: carnet_jose::Error| format!("the keys of client {}: {error}", client.id);
    let jwks = client
        .jwks
        .as_ref()
        .ok_or_else(|| format!("client {} has no keys", client.id))?;
    let keys = KeySet::from_jwks_json(jwks.to_string().as_bytes(), ASSERTION_ALGORITHMS).map_err(wrong)?;
    if keys.set.is_empty() {
        return Err(format!(
            "the JWKS of client {} has no key that can be used",
            client.id
        ));
    }
    let keys = Arc::new(keys.set);
    let verifier = |token_type| {
        Verifier::builder(keys.clone())
            .algorithms(ASSERTION_ALGORITHMS)
            .token_type(token_type)
            .issuer(&client.id)
            .audience(config.issuer.as_str())
            .require(&["sub", "jti"])
            .leeway(OWN_LEEWAY)
            .build()
            .map_err(wrong)
    };
    Ok(AssertionVerifiers {
        plain: verifier(TokenType::Jwt)?,
        typed: verifier(TokenType::Other("client-authentication+jwt"))?,
    })
}
