//! App: config, store, keys, clock, and what else every endpoint needs. One App per issuer; nothing is global.

use std::ops::Deref;
use std::sync::Arc;
use std::thread::available_parallelism;

use carnet_jose::{Algorithm, CachedVerifier, TokenType, Verifier};
use carnet_oauth::access_token::AccessTokenClaims;
use carnet_store::{
    AuditAction, Cut, Engine, MigrationReport, NewAudit, Reason, Store, StoreConfig, StoreError,
    is_postgres_url,
};
use tokio::sync::Semaphore;

use crate::client::Client;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::directory::Directory;
use crate::feed::Feed;
use crate::keys::Keys;
use crate::master_key::MasterKeys;
use crate::open_error::OpenError;
use crate::pages::Pages;
use crate::password::{Hasher, PasswordConfig, Policy};
use crate::resource::OWN_LEEWAY;
use crate::service_bundle::LastBundle;
use crate::trusted_issuer::TrustedIssuer;
use crate::turns::Turns;
use carnet_listen::secret_file;

/// A handle on everything; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What an [`App`] holds.
pub struct Parts {
    /// Every knob.
    pub config: Config,
    /// What is remembered.
    pub store: Store,
    /// What signs.
    pub keys: Keys,
    /// What seals.
    pub master: MasterKeys,
    /// Clients and resources.
    pub directory: Directory,
    /// Who else may say who a user is.
    pub trusted_issuers: Vec<TrustedIssuer>,
    /// Checks tokens of ours that are signed with our published keys. A signature is checked once; whether the token was taken back,
    /// the store is asked every time.
    pub verifier: CachedVerifier<AccessTokenClaims>,
    /// Checks ID tokens of ours that come back as a hint, expired ones too.
    pub id_token_verifier: Verifier,
    /// What was taken back lately, for those who follow.
    pub feed: Feed,
    /// The bundle of services that was signed last.
    pub last_bundle: LastBundle,
    /// The pages for people.
    pub pages: Pages,
    /// Hashes passwords, so many at a time.
    pub hasher: Hasher,
    /// What a new password must be.
    pub password_policy: Policy,
    /// Attempts under way, so that a burst of right logins does not use up its own counter.
    pub attempts: Turns,
    /// How many new passwords are judged at once.
    pub strength_checks: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
    /// When this process began, in milliseconds.
    began: i64,
}

impl App {
    /// Opens the store and everything else that the configuration names. The schema must be current: [`App::migrate`].
    pub async fn open(config: Config, clock: impl Clock + 'static) -> Result<Self, OpenError> {
        let store = Store::open(&store_config(&config)?).await?;
        Self::with_store(config, store, clock).await
    }

    /// Brings the schema up to date and opens.
    pub async fn migrate(config: &Config) -> Result<MigrationReport, OpenError> {
        Ok(Store::migrate(&store_config(config)?).await?)
    }

    /// Makes a database that is not there yet. One that is older is left alone, unless `migrate` says otherwise.
    pub async fn prepare(config: &Config, migrate: bool) -> Result<(), OpenError> {
        let store = store_config(config)?;
        let fresh = match Store::migration_status(&store).await {
            Ok(report) => report.applied.is_empty(),
            // A SQLite file that is not there.
            Err(StoreError::Schema(_)) => !config.storage.sqlite_file.exists(),
            Err(error) => return Err(error.into()),
        };
        if fresh || migrate {
            let report = Store::migrate(&store).await?;
            tracing::info!(migrations = ?report.new, "the database is up to date");
        }
        Ok(())
    }

    /// Everything that keeps [`App::open`] from opening and that the configuration and its files alone decide. Nothing is made, and no
    /// database asked.
    ///
    /// # Errors
    /// The first that is found.
    pub fn rehearse(config: &Config, clock: impl Clock + 'static) -> Result<(), OpenError> {
        store_config(config)?;
        if config.keys.master_key_file.exists() {
            let loaded = MasterKeys::load(&config.keys.master_key_file);
            loaded.map_err(|error| OpenError::Config(error.to_string()))?;
        }
        Directory::new(config, Arc::new(clock)).map_err(OpenError::Config)?;
        TrustedIssuer::all(config).map_err(OpenError::Config)?;
        Pages::new(&config.pages).map_err(OpenError::Config)?;
        password_policy(config).map(drop)
    }

    /// Opens the store alone, for commands beside a running server.
    pub async fn open_store(config: &Config) -> Result<Store, OpenError> {
        Ok(Store::open(&store_config(config)?).await?)
    }

    /// As [`App::open`], over a store that is open already.
    pub async fn with_store(
        config: Config,
        store: Store,
        clock: impl Clock + 'static,
    ) -> Result<Self, OpenError> {
        let clock: Arc<dyn Clock> = Arc::new(clock);
        let master = master_keys(&config, &store).await?;
        let directory = Directory::new(&config, clock.clone()).map_err(OpenError::Config)?;
        // At once, and not at the first request: what a changed configuration makes of them is told at the start.
        directory.keep(&config, &store).await?;
        if !directory.services_fit(&config) {
            // Nobody is kept from logging in by that; those who may add services are told before it comes to it.
            tracing::error!(
                code = "too_many_services",
                "{}; services go on with the bundle that they have",
                config::NO_ROOM
            );
        }
        let trusted_issuers = TrustedIssuer::all(&config).map_err(OpenError::Config)?;
        know_configured(&config, &directory, &store, clock.now()).await?;
        let keys = Keys::open(&config, &directory, &store, &master, clock.now()).await?;
        let verifier = own_verifier(&config, &keys).map_err(|error| OpenError::Config(error.to_string()))?;
        let verifier = CachedVerifier::new(verifier, REMEMBERED_TOKENS);
        let id_token_verifier =
            id_token_verifier(&config, &keys).map_err(|error| OpenError::Config(error.to_string()))?;
        let pages = Pages::new(&config.pages).map_err(OpenError::Config)?;
        let hasher = hasher(&config, config.passwords.threads, config.passwords.queue)?;
        for hash in store.password_hashes_unlike(ARGON2ID).await? {
            hasher.expect(&hash);
        }
        let password_policy = password_policy(&config)?;
        let feed = &config.revocation_feed;
        let feed = Feed::new(store.clone(), (feed.max_consumers, feed.max_streams_per_consumer));
        let parts = Parts {
            feed,
            config,
            store,
            keys,
            master,
            directory,
            trusted_issuers,
            verifier,
            id_token_verifier,
            last_bundle: LastBundle::default(),
            pages,
            hasher,
            password_policy,
            attempts: Turns::default(),
            strength_checks: Arc::new(Semaphore::new(cores())),
            began: clock.now(),
            clock,
        };
        Ok(Self(Arc::new(parts)))
    }

    /// UTC milliseconds.
    pub fn now(&self) -> i64 {
        self.clock.now()
    }

    /// Whole seconds, as tokens count.
    pub fn now_seconds(&self) -> u64 {
        u64::try_from(self.now() / 1000).unwrap_or_default()
    }

    /// How long a revocation entry is kept: until the last token of this configuration that it can match has expired everywhere. The store keeps
    /// it longer where other servers, or this one before, have made tokens that live longer: [`App::say_token_life`].
    pub fn entry_ttl_ms(&self) -> i64 {
        self.directory
            .longest_access_ttl()
            .millis()
            .saturating_add(self.config.keys.clock_skew.millis())
    }

    /// How something is taken back now, and on whose word.
    pub fn cut(&self, reason: Reason, audit: NewAudit) -> Cut {
        Cut {
            at: self.now(),
            entry_ttl_ms: self.entry_ttl_ms(),
            reason,
            audit,
        }
    }

    /// One round of key keeping: reads what another process changed, rotates what is due.
    pub async fn keep_keys(&self) -> Result<(), OpenError> {
        self.keys.keep(&self.store, &self.master, self.now()).await
    }

    /// Deletes clients that registered themselves and were not seen for long: a bounded number, the others in the next round.
    pub async fn forget_unused_clients(&self) -> Result<(), StoreError> {
        let kept = self.config.client_registration.forget_unused_after.millis();
        let before = self.now().saturating_sub(kept);
        for client_id in self.store.unused_clients(before, FORGOTTEN_AT_ONCE).await? {
            let audit = NewAudit::success("system", AuditAction::ClientDelete, client_id.as_str());
            let cut = self.cut(Reason::Revoked, audit);
            self.store.forget_unused_client(&client_id, before, &cut).await?;
        }
        Ok(())
    }

    /// Says how long the tokens live that this server makes, so that whoever takes one back remembers it for as long.
    pub async fn say_token_life(&self) -> Result<(), StoreError> {
        self.store.say_token_life(self.entry_ttl_ms(), self.now()).await
    }

    /// Says that this server serves the clients of its configuration file, and ends the refresh tokens of those that have left it and that
    /// no server has served for an hour.
    pub async fn end_unserved_clients(&self) -> Result<(), StoreError> {
        let served = self.directory.remembered(&self.config);
        let audit = NewAudit::success("system", AuditAction::ClientDelete, "");
        let cut = self.cut(Reason::Revoked, audit);
        for client_id in self.store.end_unserved_clients(&served, self.began, &cut).await? {
            tracing::warn!(%client_id, "no server has the client in its configuration file any more: its refresh tokens have ended");
        }
        Ok(())
    }

    /// The client of the OAuth endpoints with this name, as it is registered at this moment.
    pub async fn client(&self, id: &str) -> Result<Option<Arc<Client>>, StoreError> {
        // The configuration file goes before the store and does not change: no need to look.
        if !self.directory.is_configured(id) {
            self.directory.keep(&self.config, &self.store).await?;
        }
        Ok(self.directory.client(id))
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Notices which clients have left the configuration file since the last start, and takes their access tokens back.
async fn know_configured(
    config: &Config,
    directory: &Directory,
    store: &Store,
    now: i64,
) -> Result<(), OpenError> {
    let skew = config.keys.clock_skew.millis();
    let audit = NewAudit::success("system", AuditAction::ClientDelete, "");
    let cut = Cut {
        at: now,
        entry_ttl_ms: directory.longest_access_ttl().millis().saturating_add(skew),
        reason: Reason::Revoked,
        audit,
    };
    let clients = directory.remembered(config);
    for client_id in store.know_configured_clients(&clients, &cut).await? {
        tracing::warn!(%client_id, "a client is not in the configuration file any more: its access tokens are taken back, and its refresh tokens end when no server has had it for an hour");
    }
    Ok(())
}

/// The master key; a new one only for a database in which nothing is sealed yet.
async fn master_keys(config: &Config, store: &Store) -> Result<MasterKeys, OpenError> {
    let file = &config.keys.master_key_file;
    let keys = if store.signing_keys().await?.iter().any(|row| row.sealed.is_some()) {
        MasterKeys::load(file)
    } else {
        MasterKeys::load_or_create(file)
    };
    keys.map_err(|error| {
        let without = "the private keys in the database are sealed under it: bring back the file that this server was started with";
        let cure = if file.exists() { "" } else { without };
        OpenError::Config(format!("{error}\n{cure}").trim_end().to_owned())
    })
}

fn password_policy(config: &Config) -> Result<Policy, OpenError> {
    let passwords = &config.passwords;
    Policy::new(passwords.min_strength, passwords.breached_list_file.as_deref())
        .map_err(|error| OpenError::Config(error.to_string()))
}

/// Hashing threads with the configured parameters.
pub fn hasher(config: &Config, threads: usize, queue: usize) -> Result<Hasher, OpenError> {
    let passwords = &config.passwords;
    let parameters = PasswordConfig {
        memory_kib: passwords.memory_kib,
        iterations: passwords.iterations,
        parallelism: passwords.parallelism,
        threads,
        queue,
    };
    Hasher::new(parameters).map_err(|error| OpenError::Config(error.to_string()))
}

/// How the hashes begin that we make ourselves. Older parameters of ours are nearly as costly.
const ARGON2ID: &str = "$argon2id$";

/// Access tokens whose signature is not checked again: about a kilobyte each.
const REMEMBERED_TOKENS: usize = 10_000;

/// Each takes a look at all refresh families.
const FORGOTTEN_AT_ONCE: i64 = 100;

fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// Tokens signed with our published keys, for any of our audiences. One that was made when tokens lived longer is good until it expires or its key
/// has left, as it is at the APIs, so that it can be taken back.
fn own_verifier(config: &Config, keys: &Keys) -> Result<Verifier, carnet_jose::Error> {
    let mut builder = Verifier::builder(keys.source())
        .algorithms(&published_algorithms())
        .token_type(TokenType::AccessToken)
        .issuer(config.issuer.as_str())
        .leeway(OWN_LEEWAY);
    for resource in config
        .resources
        .iter()
        .filter(|resource| !resource.signing().is_mac())
    {
        builder = builder.audience(resource.audience.as_str());
    }
    if config
        .resources
        .iter()
        .all(|resource| resource.signing().is_mac())
    {
        // No resource takes such tokens: an audience that nobody has refuses them all.
        builder = builder.audience("urn:carnet:no-audience");
    }
    builder.build()
}

/// A hint says who was signed in once: it may be old, but it must be ours.
fn id_token_verifier(config: &Config, keys: &Keys) -> Result<Verifier, carnet_jose::Error> {
    Verifier::builder(keys.source_with_former())
        .algorithms(&published_algorithms())
        .token_type(TokenType::IdToken)
        .issuer(config.issuer.as_str())
        .without_audience_check()
        .expired_too()
        .build()
}

fn published_algorithms() -> Vec<Algorithm> {
    let all = Algorithm::ALL.iter().copied();
    all.filter(|algorithm| !algorithm.is_mac()).collect()
}

fn store_config(config: &Config) -> Result<StoreConfig, OpenError> {
    let Some(file) = &config.storage.postgres_url_file else {
        return Ok(StoreConfig::sqlite(&config.storage.sqlite_file));
    };
    let refuse = |why: String| OpenError::Config(format!("{}: {why}", file.display()));
    let url = secret_file::read(file).map_err(|error| refuse(format!("{}; {}", error.what, error.todo)))?;
    let url = String::from_utf8(url.to_vec()).map_err(|_| refuse("is not text".to_owned()))?;
    // The URL itself holds a password: it is in no text.
    if !is_postgres_url(&url) {
        let todo = "write postgres://user:password@host/database?sslmode=require into it";
        return Err(refuse(format!("holds no URL of a PostgreSQL server\n{todo}")));
    }
    Ok(StoreConfig::of(Engine::Postgres {
        url,
        root_certificates: config.storage.postgres_root_certificates_file.clone(),
        pool_size: config.storage.postgres_pool,
    }))
}
