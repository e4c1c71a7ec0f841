//! Clients of the login API and the APIs that tokens are for, as configured, ready to be asked.

use std::time::Duration;

use carnet_jose::{AnySigningKey, AnyVerifyingKey, KeySet, Signer, TokenType, Verifier, primitive};
use carnet_oauth::scope::ScopeSet;

use crate::config::{self, Config, RefreshTokenIn, Ttl};
use crate::secret_file;

/// How far the clocks of our own nodes may be apart when we check our own tokens.
pub const OWN_LEEWAY: Duration = Duration::from_secs(5);

/// The client that is meant when a login names none.
pub const FIRST_PARTY: &str = "first-party";

/// A client of the login API.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its name in requests and tokens.
    pub id: String,
    /// Where its refresh token travels.
    pub refresh_token_in: RefreshTokenIn,
    /// What it may ask for.
    pub scope: ScopeSet,
    /// The audiences it may ask for, its default first.
    pub audiences: Vec<String>,
    /// Origins of its browser app.
    pub origins: Vec<String>,
    /// Life of its access tokens.
    pub access_ttl: Ttl,
    /// How long an honest retry of a refresh is believed.
    pub refresh_grace: Ttl,
}

/// An API that tokens are for.
pub struct Resource {
    /// The `aud` of its tokens.
    pub audience: String,
    /// The algorithm of its tokens.
    pub signing: carnet_jose::Algorithm,
    /// For a resource with a shared secret: what signs and checks its tokens.
    pub shared: Option<SharedSecret>,
    /// For a resource that may introspect: its name and the SHA-256 of its secret.
    pub introspection: Option<(String, [u8; 32])>,
}

/// A secret that one resource and this server share.
pub struct SharedSecret {
    /// Signs tokens for the resource.
    pub signer: Signer,
    /// Checks them when they come back to us.
    pub verifier: Verifier,
}

/// All clients and resources of a configuration.
pub struct Directory {
    clients: Vec<Client>,
    resources: Vec<Resource>,
}

impl Directory {
    /// Reads the secrets that the configuration names.
    pub fn new(config: &Config) -> Result<Self, String> {
        let resources = config
            .resources
            .iter()
            .map(|resource| load_resource(config, resource));
        Ok(Self {
            clients: clients(config),
            resources: resources.collect::<Result<_, _>>()?,
        })
    }

    /// The client of this name; the first-party client when none is named.
    pub fn client(&self, id: Option<&str>) -> Option<&Client> {
        let id = id.unwrap_or(FIRST_PARTY);
        self.clients.iter().find(|client| client.id == id)
    }

    /// Every client.
    pub fn clients(&self) -> &[Client] {
        &self.clients
    }

    /// The resource with this audience.
    pub fn resource(&self, audience: &str) -> Option<&Resource> {
        self.resources
            .iter()
            .find(|resource| resource.audience == audience)
    }

    /// Every resource.
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// Every scope that any client may ask for.
    pub fn scopes(&self) -> Vec<String> {
        let all: std::collections::BTreeSet<&str> = self
            .clients
            .iter()
            .flat_map(|client| client.scope.iter())
            .collect();
        all.into_iter().map(str::to_owned).collect()
    }

    /// The longest life that an access token of any client has.
    pub fn longest_access_ttl(&self) -> Ttl {
        longest_access_ttl(&self.clients)
    }
}

fn longest_access_ttl(clients: &[Client]) -> Ttl {
    let lives = clients.iter().map(|client| client.access_ttl);
    lives.max().unwrap_or(Ttl::minutes(15))
}

fn clients(config: &Config) -> Vec<Client> {
    let every_audience = || {
        config
            .resources
            .iter()
            .map(|resource| resource.audience.clone())
            .collect::<Vec<_>>()
    };
    let mut audiences = every_audience();
    if let Some(first) = &config.first_party.audience {
        audiences.retain(|audience| audience != first);
        audiences.insert(0, first.clone());
    }
    let first_party = Client {
        id: FIRST_PARTY.to_owned(),
        refresh_token_in: RefreshTokenIn::Cookie,
        scope: config.first_party.scope.clone(),
        audiences,
        origins: config.first_party.origins.clone(),
        access_ttl: config.tokens.access_ttl,
        refresh_grace: config.tokens.refresh_grace,
    };
    let further = config.clients.iter().map(|client| Client {
        id: client.id.clone(),
        refresh_token_in: client.refresh_token_in,
        scope: client.scope.clone(),
        audiences: if client.audiences.is_empty() {
            every_audience()
        } else {
            client.audiences.clone()
        },
        origins: client.origins.clone(),
        access_ttl: client.access_ttl.unwrap_or(config.tokens.access_ttl),
        refresh_grace: client.refresh_grace.unwrap_or(config.tokens.refresh_grace),
    });
    std::iter::once(first_party).chain(further).collect()
}

fn load_resource(config: &Config, resource: &config::Resource) -> Result<Resource, String> {
    let read = |file: &std::path::Path| {
        secret_file::read(file).map_err(|error| format!("{}: {}; {}", file.display(), error.what, error.todo))
    };
    let shared = match &resource.secret_file {
        Some(file) => Some(
            shared_secret(config, resource, &read(file)?)
                .map_err(|error| format!("{}: {error}", file.display()))?,
        ),
        None => None,
    };
    let introspection = match (&resource.introspection_id, &resource.introspection_secret_file) {
        (Some(id), Some(file)) => Some((id.clone(), primitive::sha256(&read(file)?))),
        _ => None,
    };
    Ok(Resource {
        audience: resource.audience.clone(),
        signing: resource.signing,
        shared,
        introspection,
    })
}

/// No `kid`: a thumbprint of the secret would be something to guess against.
fn shared_secret(
    config: &Config,
    resource: &config::Resource,
    secret: &[u8],
) -> Result<SharedSecret, carnet_jose::Error> {
    let key = AnySigningKey::from_secret(secret, resource.signing)?;
    let keys = KeySet::new(vec![(
        None,
        AnyVerifyingKey::from_secret(secret, resource.signing)?,
    )])?;
    let verifier = Verifier::builder(std::sync::Arc::new(keys))
        .algorithms(&[resource.signing])
        .token_type(TokenType::AccessToken)
        .issuer(config.issuer.as_str())
        .audience(resource.audience.as_str())
        .max_token_age(longest_access_ttl(&clients(config)).duration())
        .leeway(OWN_LEEWAY)
        .build()?;
    Ok(SharedSecret {
        signer: Signer::new(key, TokenType::AccessToken, None)?,
        verifier,
    })
}
