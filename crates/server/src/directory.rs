//! All clients and resources: those of the configuration file, and the clients that are registered in the store.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use arc_swap::ArcSwap;
use carnet_jose::{base64url, primitive};
use carnet_oauth::scope::{OPENID_SCOPES, ScopeSet};
use carnet_store::{ClientRow, ClientState, ConfiguredClient, Store, StoreError};
use tokio::sync::Mutex;

use crate::client::{Client, FIRST_PARTY, SecretDigest};
use crate::clock::Clock;
use crate::config::{self, ClientRegistrationPolicy, Config, Ttl};
use crate::remote_keys::KeyShelf;
use crate::resource::Resource;

/// Who takes part.
pub struct Directory {
    configured: Vec<Arc<Client>>,
    resources: Vec<Resource>,
    longest_access_ttl: Ttl,
    shelf: KeyShelf,
    open_scopes: ScopeSet,
    registered: ArcSwap<Registered>,
    /// Whoever reads them again: all others wait for that.
    reading: Mutex<()>,
}

/// The clients of the store, as they were at one settings epoch.
#[derive(Default)]
struct Registered {
    epoch: i64,
    clients: HashMap<String, Arc<Client>>,
}

impl Directory {
    /// Reads the secrets that the configuration names. What is registered in the store is read by [`Directory::keep`].
    pub fn new(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let shelf = KeyShelf::new(clock);
        let mut configured = vec![Arc::new(Client::first_party(config))];
        for client in &config.clients {
            configured.push(Arc::new(Client::configured((config, &shelf), client)?));
        }
        let lives = configured.iter().map(|client| client.access_ttl);
        let longest_access_ttl = lives.max().unwrap_or(config.tokens.access_ttl);
        let resources = config
            .resources
            .iter()
            .map(|resource| Resource::load(config, resource));
        Ok(Self {
            resources: resources.collect::<Result<_, _>>()?,
            configured,
            longest_access_ttl,
            shelf,
            open_scopes: match config.client_registration.policy {
                ClientRegistrationPolicy::Closed => ScopeSet::default(),
                _ => config.client_registration.scope.clone(),
            },
            registered: ArcSwap::default(),
            reading: Mutex::default(),
        })
    }

    /// The client of the login API with this name; the first-party client when none is named.
    pub fn login_client(&self, id: Option<&str>) -> Option<&Client> {
        let id = id.unwrap_or(FIRST_PARTY);
        self.login_clients().find(|client| client.id == id)
    }

    /// The client that is ours.
    pub fn first_party(&self) -> Option<Arc<Client>> {
        let configured = self.configured.iter();
        configured
            .into_iter()
            .find(|client| client.id == FIRST_PARTY)
            .cloned()
    }

    /// Every client of the login API. They stand in the configuration file.
    pub fn login_clients(&self) -> impl Iterator<Item = &Client> {
        let configured = self.configured.iter().map(AsRef::as_ref);
        configured.filter(|client| client.uses_login_api())
    }

    /// The client of the OAuth endpoints with this name. The configuration file goes before the store.
    pub fn client(&self, id: &str) -> Option<Arc<Client>> {
        let configured = self.configured.iter().find(|client| client.id == id);
        let client = configured
            .cloned()
            .or_else(|| self.registered.load().clients.get(id).cloned());
        client.filter(|client| !client.uses_login_api())
    }

    /// Whether the configuration file has a client of this name; what the store says of the name does not count then.
    pub fn is_configured(&self, id: &str) -> bool {
        self.configured.iter().any(|client| client.id == id)
    }

    /// The resource with this audience.
    pub fn resource(&self, audience: &str) -> Option<&Resource> {
        self.resources
            .iter()
            .find(|resource| resource.audience == audience)
    }

    /// Every service that may be believed, by name, and the number of the state that they are of.
    pub fn services(&self) -> (i64, Vec<Arc<Client>>) {
        let registered = self.registered.load();
        let others = registered.clients.values();
        let others = others.filter(|client| !self.is_configured(&client.id));
        let all = self.configured.iter().chain(others);
        let mut services: Vec<_> = all.filter(|client| client.service).cloned().collect();
        services.sort_by(|a, b| a.id.cmp(&b.id));
        (registered.epoch, services)
    }

    /// Whether the bundle has room for all of them, those of the configuration file and those of the store.
    pub fn services_fit(&self, config: &Config) -> bool {
        let (_, services) = self.services();
        let told = services.iter().filter_map(|client| {
            let jwks = client.jwks.as_ref()?;
            Some((client.id.as_str(), jwks, client.calls.as_slice()))
        });
        config::services_fit(config.issuer.as_str(), told)
    }

    /// The clients of the configuration file, as they are remembered until the next start.
    pub fn remembered(&self, config: &Config) -> Vec<ConfiguredClient> {
        let skew = config.keys.clock_skew.millis();
        let remembered = |client: &Arc<Client>| ConfiguredClient {
            client_id: client.id.clone(),
            service: match client.service {
                true => {
                    let said = format!("{:?} {:?} {:?}", client.jwks, client.calls, config.services);
                    base64url::encode(&primitive::sha256(said.as_bytes()))
                }
                false => String::new(),
            },
            entry_ttl_ms: client.access_ttl.millis().saturating_add(skew),
        };
        self.configured.iter().map(remembered).collect()
    }

    /// Every resource.
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// The scopes of OpenID Connect, and every one that a configured client, or one that registers itself, may ask for.
    pub fn scopes(&self) -> Vec<String> {
        let scopes = self.configured.iter().flat_map(|client| client.scope.iter());
        let scopes = scopes.chain(self.open_scopes.iter());
        let scopes = scopes.chain(OPENID_SCOPES.iter().copied());
        let all: BTreeSet<&str> = scopes.collect();
        all.into_iter().map(str::to_owned).collect()
    }

    /// The longest life that an access token has of those that this server makes. Revocations and retired keys are kept for as long at the least.
    pub fn longest_access_ttl(&self) -> Ttl {
        self.longest_access_ttl
    }

    /// Reads the registered clients again when anything has changed; one look at a number when nothing has.
    ///
    /// Before every decision about a client, so that one that is disabled gets nothing more.
    pub async fn keep(&self, config: &Config, store: &Store) -> Result<(), StoreError> {
        let newest = store.settings_epoch().await?;
        if self.registered.load().epoch == newest {
            return Ok(());
        }
        let _reading = self.reading.lock().await;
        let known = self.registered.load_full();
        if known.epoch == newest {
            return Ok(());
        }
        // Read first: a change that comes between the reads is seen by the next look.
        let epoch = store.settings_epoch().await?;
        if known.epoch == epoch {
            return Ok(());
        }
        let rows = store.clients().await?;
        let mut secrets = secrets(store).await?;
        let mut clients = HashMap::new();
        for row in rows.iter().filter(|row| row.state == ClientState::Active) {
            let digests = secrets.remove(&row.client_id).unwrap_or_default();
            let same = known.clients.get(&row.client_id);
            // Strangers may register many, with keys that take their time to be read.
            let client = match same.filter(|client| client.is_of(row.updated_at, &digests)) {
                Some(client) => Arc::clone(client),
                None => match self.read(config, row, digests) {
                    Ok(client) => Arc::new(client),
                    // One odd row takes nobody else down with it.
                    Err(error) => {
                        tracing::error!(client_id = %row.client_id, %error, "a registered client cannot be used; see: carnet client show");
                        continue;
                    }
                },
            };
            clients.insert(row.client_id.clone(), client);
        }
        self.registered.store(Arc::new(Registered { epoch, clients }));
        Ok(())
    }

    fn read(&self, config: &Config, row: &ClientRow, digests: Vec<SecretDigest>) -> Result<Client, String> {
        let registered = config::registered(config, &row.settings)?;
        let mut client = Client::registered((config, &self.shelf), registered, digests)?;
        // Nothing outlives the revocations that are kept for as long as configured tokens live.
        client.access_ttl = client.access_ttl.min(self.longest_access_ttl);
        client.changed_at = row.updated_at;
        client.self_registered = row
            .registered_with
            .is_some()
            .then(|| AtomicI64::new(row.last_used_at.unwrap_or_default()));
        Ok(client)
    }
}

/// The secrets of each client.
async fn secrets(store: &Store) -> Result<HashMap<String, Vec<SecretDigest>>, StoreError> {
    let mut all: HashMap<_, Vec<_>> = HashMap::new();
    for secret in store.client_secrets().await? {
        if let Ok(digest) = secret.digest.as_slice().try_into() {
            all.entry(secret.client_id).or_default().push(SecretDigest {
                digest,
                expires_at: secret.expires_at,
            });
        }
    }
    Ok(all)
}
