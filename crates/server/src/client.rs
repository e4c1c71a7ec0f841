//! Clients, ready to be asked: what each is registered with, and what that comes to.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use carnet_jose::{KeySet, primitive};
use carnet_oauth::client_auth::{AuthMethod, CLOCK_SECONDS};
use carnet_oauth::grant_type::GrantType;

use crate::assertion::{AUTHENTICATION, AssertionVerifier, Expected, GRANT, Keys};
use crate::config::{self, ASSERTION_ALGORITHMS, AssertionAudience, Config, Ttl, service_keys};
use crate::remote_keys::KeyShelf;
use carnet_listen::secret_file;

/// Where the token endpoint is: what an assertion may be meant for.
pub const TOKEN_PATH: &str = "/oauth/token";

/// Where requests are pushed: what an assertion may be meant for as well.
pub const PAR_PATH: &str = "/oauth/par";

/// The client that is meant when a login names none.
pub const FIRST_PARTY: &str = "first-party";

/// A program that asks for tokens. What it is registered with is read through it.
pub struct Client {
    registered: config::Client,
    /// Life of its access tokens.
    pub access_ttl: Ttl,
    /// How long an honest retry of a refresh is believed.
    pub refresh_grace: Ttl,
    /// How long its refresh tokens may rest.
    pub refresh_idle: Ttl,
    /// When its refresh tokens end, whatever happens.
    pub refresh_absolute: Ttl,
    /// What its proof of who it is is checked with.
    pub proof: Proof,
    /// When its registration last changed, in milliseconds; what was begun before does not count after. 0 in the configuration file.
    pub changed_at: i64,
    /// It registered itself: nobody has checked what it says of itself. When it was last noted that it is in use, in milliseconds.
    pub self_registered: Option<AtomicI64>,
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

/// What a client's own assertions are checked with: those that prove who it is, and those that it is granted a token for.
pub struct AssertionVerifiers {
    /// RFC 7523 §2.2.
    pub authentication: AssertionVerifier,
    /// RFC 7523 §2.1.
    pub grant: AssertionVerifier,
}

/// The digest of a client's secret.
#[derive(Clone, Copy, PartialEq, Eq)]
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
        // People know the operator's own app by the name that stands on the pages.
        registered.name = Some(config.pages.name.clone());
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
    pub(crate) fn configured(
        (config, shelf): (&Config, &KeyShelf),
        registered: &config::Client,
    ) -> Result<Self, String> {
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
            let jwks: serde_json::Value =
                serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", file.display()))?;
            registered.jwks = Some(config::one_or_set(jwks));
        }
        Self::registered((config, shelf), registered, secrets)
    }

    /// A client with the digests of its secrets.
    pub(crate) fn registered(
        (config, shelf): (&Config, &KeyShelf),
        registered: config::Client,
        secrets: Vec<SecretDigest>,
    ) -> Result<Self, String> {
        if registered.service {
            let keys = registered.jwks.as_ref().map(service_keys).transpose();
            keys.map_err(|why| format!("the JWKS of client {} {why}", registered.id))?;
        }
        let proof = match registered.auth_method {
            AuthMethod::None => Proof::None,
            AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost => Proof::Secrets(secrets),
            AuthMethod::PrivateKeyJwt => {
                Proof::Keys(Box::new(assertion_verifiers((config, shelf), &registered)?))
            }
        };
        Ok(Self::resolved(config, registered, proof))
    }

    fn resolved(config: &Config, mut registered: config::Client, proof: Proof) -> Self {
        if registered.audiences.is_empty() {
            let every = config.resources.iter().map(|resource| resource.audience.clone());
            registered.audiences = every.collect();
        }
        let tokens = &config.tokens;
        let absolute = registered.refresh_absolute.unwrap_or(tokens.refresh_absolute);
        Self {
            access_ttl: registered.access_ttl.unwrap_or(config.tokens.access_ttl),
            refresh_grace: registered.refresh_grace.unwrap_or(config.tokens.refresh_grace),
            refresh_idle: registered
                .refresh_idle
                .unwrap_or(tokens.refresh_idle)
                .min(absolute),
            refresh_absolute: absolute,
            registered,
            proof,
            changed_at: 0,
            self_registered: None,
        }
    }

    /// Whether nothing has changed in the store since it was read from there. Each change of a client has a time of its own, those of
    /// its secrets excepted.
    pub(crate) fn is_of(&self, changed_at: i64, secrets: &[SecretDigest]) -> bool {
        let same = match &self.proof {
            Proof::Secrets(known) => known == secrets,
            Proof::None | Proof::Keys(_) => true,
        };
        same && self.changed_at == changed_at
    }

    /// Whether it logs users in at the login API; others ask at the token endpoint.
    pub fn uses_login_api(&self) -> bool {
        self.registered.grant_types.is_empty()
    }

    /// What people are shown of it.
    pub fn shown_name(&self) -> &str {
        self.registered.name.as_deref().unwrap_or(&self.registered.id)
    }

    /// The same in a language, where it has said so.
    pub fn shown_name_in(&self, language: &str) -> &str {
        let known = self.registered.names.get(language);
        known.map_or_else(|| self.shown_name(), String::as_str)
    }

    /// Whether nobody has checked what it says of itself.
    pub fn is_unverified(&self) -> bool {
        self.self_registered.is_some()
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
fn assertion_verifiers(
    (config, shelf): (&Config, &KeyShelf),
    client: &config::Client,
) -> Result<AssertionVerifiers, String> {
    let wrong = |error: carnet_jose::Error| format!("the keys of client {}: {error}", client.id);
    let keys = match &client.jwks_uri {
        Some(uri) => Keys::Remote(shelf.at(config, uri)?),
        None => Keys::Fixed(own_keys(client)?),
    };
    let one = client.assertion_signing.as_ref().map(std::slice::from_ref);
    let mut audiences = vec![config.issuer.as_str().to_owned()];
    if client.assertion_audience == AssertionAudience::TokenEndpoint {
        // RFC 9126 §2 has the latter beside it.
        audiences.extend([TOKEN_PATH, PAR_PATH].map(|path| config.issuer.join(path)));
    }
    let verifier = |typed| {
        let expected = Expected {
            issuer: &client.id,
            audiences: audiences.clone(),
            algorithms: one.unwrap_or(ASSERTION_ALGORITHMS),
            typed,
            require_type: false,
            leeway: Duration::from_secs(CLOCK_SECONDS),
        };
        AssertionVerifier::new(keys.clone(), &expected).map_err(wrong)
    };
    Ok(AssertionVerifiers {
        authentication: verifier(AUTHENTICATION)?,
        grant: verifier(GRANT)?,
    })
}

/// The keys that a client is registered with.
fn own_keys(client: &config::Client) -> Result<Arc<KeySet>, String> {
    let jwks = client
        .jwks
        .as_ref()
        .ok_or_else(|| format!("client {} has no keys", client.id))?;
    let keys = KeySet::from_jwks_json(jwks.to_string().as_bytes(), ASSERTION_ALGORITHMS)
        .map_err(|error| format!("the keys of client {}: {error}", client.id))?;
    if keys.set.is_empty() {
        return Err(format!(
            "the JWKS of client {} has no key that can be used",
            client.id
        ));
    }
    Ok(Arc::new(keys.set))
}
