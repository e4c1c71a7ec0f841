//! Who may issue tokens for a resource server, and where its keys come from.
//!
//! Spec: RFC 8414 (discovery) · RFC 7517 (keys) · RFC 7662 (introspection) · RFC 9701 (its signed answers)

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use carnet_client::clock::Clock;
use carnet_client::error::ClientError;
use carnet_client::http::HttpClient;
use carnet_client::jwks::{Location, RemoteKeys};
use carnet_client::{introspect, key_file, revocations};
use carnet_jose::{Algorithm, AnyVerifyingKey, KeySet, KeySource};

use crate::revocations::Revocations;

/// An issuer of tokens.
#[derive(Debug)]
pub struct Issuer {
    pub(crate) name: String,
    pub(crate) keys: Keys,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) plain_jwt: bool,
    pub(crate) introspection: Option<Introspection>,
    pub(crate) snapshot: Option<PathBuf>,
    pub(crate) prefix: Option<String>,
    pub(crate) may_lack: Vec<String>,
    pub(crate) revocations: Option<Revocations>,
}

#[derive(Debug)]
pub(crate) enum Keys {
    Remote(Location),
    PemFile(PathBuf, Algorithm),
    JwksFile(PathBuf),
    SharedSecret(PathBuf, Algorithm),
    Key(AnyVerifyingKey),
    /// It signs nothing that we could check: it is asked about each token.
    None,
}

/// Every signature that a published key can make; a resource server may allow fewer.
pub(crate) const SIGNATURES: [Algorithm; 10] = [
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::Ed25519,
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
];

impl Issuer {
    /// Finds the keys by the issuer's metadata. `issuer` is compared with `iss` byte for byte.
    pub fn discover(issuer: impl Into<String>) -> Self {
        let issuer = issuer.into();
        Self::new(
            issuer.clone(),
            Keys::Remote(Location::Discover(issuer)),
            &SIGNATURES,
        )
    }

    /// Takes the keys from this URL.
    pub fn jwks(issuer: impl Into<String>, url: impl Into<String>) -> Self {
        Self::new(issuer, Keys::Remote(Location::Jwks(url.into())), &SIGNATURES)
    }

    /// Takes the one key of a PEM file (`carnet key export`).
    pub fn pem_file(issuer: impl Into<String>, file: impl Into<PathBuf>, algorithm: Algorithm) -> Self {
        Self::new(issuer, Keys::PemFile(file.into(), algorithm), &[algorithm])
    }

    /// Takes the keys of a JWKS file.
    pub fn jwks_file(issuer: impl Into<String>, file: impl Into<PathBuf>) -> Self {
        Self::new(issuer, Keys::JwksFile(file.into()), &SIGNATURES)
    }

    /// Shares a secret with the issuer: HS256, HS384 or HS512. The file must be its owner's alone.
    pub fn shared_secret(issuer: impl Into<String>, file: impl Into<PathBuf>, algorithm: Algorithm) -> Self {
        Self::new(issuer, Keys::SharedSecret(file.into(), algorithm), &[algorithm])
    }

    /// Asks the issuer what each of its tokens says (RFC 7662), since nobody else can read them. Its answers are held against the same policy
    /// as JWTs: they name this issuer, this audience, a time that is not over, a user and a client.
    ///
    /// One such issuer gets every token that is no JWT; several are told apart by [`Issuer::prefix`].
    pub fn opaque(issuer: impl Into<String>, introspection: Introspection) -> Self {
        Self::new(issuer, Keys::None, &[]).introspect(introspection)
    }

    pub(crate) fn key(issuer: impl Into<String>, key: AnyVerifyingKey) -> Self {
        let algorithm = key.algorithm();
        Self::new(issuer, Keys::Key(key), &[algorithm])
    }

    fn new(name: impl Into<String>, keys: Keys, algorithms: &[Algorithm]) -> Self {
        Self {
            name: name.into(),
            keys,
            algorithms: algorithms.to_vec(),
            plain_jwt: false,
            introspection: None,
            snapshot: None,
            prefix: None,
            may_lack: Vec::new(),
            revocations: None,
        }
    }

    /// The opaque tokens of this issuer begin so.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Introspection answers of this issuer may lack these claims, of `iss`, `aud`, `exp`, `sub` and `client_id`. What is there is checked
    /// all the same. Excuse `aud` only where the issuer calls tokens for other services inactive.
    pub fn may_lack<T: Into<String>>(mut self, claims: impl IntoIterator<Item = T>) -> Self {
        self.may_lack = claims.into_iter().map(Into::into).collect();
        self
    }

    /// Keeps the issuer's keys in this file as well, so that a program that starts while the issuer is down knows them: for a day after they
    /// were last fetched. Whoever can write the file can forge tokens: it is made for its owner alone, and not read when others may write it.
    pub fn snapshot(mut self, file: impl Into<PathBuf>) -> Self {
        self.snapshot = Some(file.into());
        self
    }

    /// Allows these algorithms alone.
    pub fn algorithms(mut self, algorithms: &[Algorithm]) -> Self {
        self.algorithms = algorithms.to_vec();
        self
    }

    /// For issuers that do not follow RFC 9068: `typ` is `JWT` or absent, and only `exp` and `sub` must be there.
    pub fn plain_jwt(mut self) -> Self {
        self.plain_jwt = true;
        self
    }

    /// Asks the issuer about each token as well, so that a revoked one is refused before it expires.
    pub fn introspect(mut self, introspection: Introspection) -> Self {
        self.introspection = Some(introspection);
        self
    }

    /// Follows what the issuer takes back, so that a revoked token is refused within a second and nobody is asked for it.
    pub fn revocations(mut self, revocations: Revocations) -> Self {
        self.revocations = Some(revocations);
        self
    }

    /// Where keys that are fetched come from; what is described in the same way has the same keys.
    pub(crate) fn described(&self) -> Option<Described> {
        let Keys::Remote(location) = &self.keys else {
            return None;
        };
        Some(Described {
            location: location.clone(),
            algorithms: self.algorithms.clone(),
            snapshot: self.snapshot.clone(),
        })
    }

    pub(crate) fn key_source(&self, http: &HttpClient, clock: Arc<dyn Clock>) -> Result<Source, ClientError> {
        let pinned = |key| KeySet::pinned(key).map_err(|error| ClientError::File(error.to_string()));
        let set = match &self.keys {
            Keys::Remote(location) => {
                let keys = RemoteKeys::with_clock(http.clone(), location.clone(), &self.algorithms, clock);
                let keys = match &self.snapshot {
                    Some(file) => keys.with_snapshot(file),
                    None => keys,
                };
                return Ok(Source::Remote(Arc::new(keys)));
            }
            Keys::PemFile(file, algorithm) => pinned(key_file::pem(file, *algorithm)?)?,
            Keys::JwksFile(file) => key_file::jwks(file, &self.algorithms)?,
            Keys::SharedSecret(file, algorithm) => pinned(key_file::shared_secret(file, *algorithm)?)?,
            Keys::Key(key) => pinned(key.clone())?,
            Keys::None => KeySet::empty(),
        };
        Ok(Source::Fixed(Arc::new(set)))
    }

    /// Begins to follow what the issuer takes back, when that was asked for.
    pub(crate) fn follow(
        &self,
        source: &Source,
        (http, clock): (&HttpClient, Arc<dyn Clock>),
    ) -> Result<Option<revocations::Revocations>, ClientError> {
        let Some(feed) = &self.revocations else {
            return Ok(None);
        };
        let signed = self.published(Some(source), (http, clock.clone()));
        feed.open(&self.name, signed, (http, clock)).map(Some)
    }

    /// Whoever is asked about tokens of this issuer, when somebody is; `source` is where its keys come from, when tokens are signed.
    pub(crate) fn asked(
        &self,
        source: Option<&Source>,
        (http, clock): (&HttpClient, Arc<dyn Clock>),
    ) -> Result<Option<introspect::Introspection>, ClientError> {
        let Some(asked) = &self.introspection else {
            return Ok(None);
        };
        let opened = asked.open(http, clock.clone())?;
        if !asked.signed {
            return Ok(Some(opened));
        }
        let (keys, algorithms) = self.published(source, (http, clock.clone()));
        let names = (self.name.as_str(), asked.id.as_str());
        opened.signed(names, (keys, &algorithms), clock).map(Some)
    }

    /// The keys that the issuer signs other things with than tokens for us.
    fn published(
        &self,
        source: Option<&Source>,
        (http, clock): (&HttpClient, Arc<dyn Clock>),
    ) -> (revocations::Keys, Vec<Algorithm>) {
        let shared = self.algorithms.iter().any(|algorithm| algorithm.is_mac());
        match source {
            Some(Source::Remote(keys)) => (revocations::Keys::Remote(keys.clone()), self.algorithms.clone()),
            Some(source @ Source::Fixed(_)) if !shared => (
                revocations::Keys::Fixed(source.for_verifier()),
                self.algorithms.clone(),
            ),
            // A shared secret signs tokens for us alone, and opaque tokens are not signed at all; the rest is signed with what it publishes.
            _ => {
                let location = Location::Discover(self.name.clone());
                let keys = RemoteKeys::with_clock(http.clone(), location, &SIGNATURES, clock);
                (revocations::Keys::Remote(Arc::new(keys)), SIGNATURES.to_vec())
            }
        }
    }
}

/// What makes the keys of an issuer those and no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Described {
    location: Location,
    algorithms: Vec<Algorithm>,
    snapshot: Option<PathBuf>,
}

/// Where keys come from while the guard runs.
pub(crate) enum Source {
    Remote(Arc<RemoteKeys>),
    Fixed(Arc<KeySet>),
}

impl Source {
    /// Whether there are keys to check with.
    pub(crate) fn is_loaded(&self) -> bool {
        match self {
            Self::Remote(keys) => keys.is_loaded(),
            Self::Fixed(_) => true,
        }
    }

    pub(crate) fn for_verifier(&self) -> Arc<dyn KeySource> {
        match self {
            Self::Remote(keys) => keys.clone(),
            Self::Fixed(set) => Arc::new(set.clone()),
        }
    }
}

/// The issuer's introspection endpoint, and how long its answers are believed.
#[derive(Clone)]
pub struct Introspection {
    url: String,
    id: String,
    secret: String,
    ttl: Duration,
    signed: bool,
}

impl Introspection {
    /// Asks at this URL, with the name and secret that the issuer knows this resource server by. Answers are believed for five seconds.
    pub fn at(url: impl Into<String>, id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            id: id.into(),
            secret: secret.into(),
            ttl: Duration::from_secs(5),
            signed: false,
        }
    }

    /// Believes answers for this long, 30 seconds at most; zero asks about every request.
    pub fn cache(mut self, ttl: Duration) -> Self {
        self.ttl = ttl.min(Duration::from_secs(30));
        self
    }

    /// Asks for signed answers (RFC 9701), and takes no others: by the keys of this issuer, which its metadata names when its tokens are opaque
    /// or signed with a shared secret. A server that answers without a signature is no answer: 503.
    pub fn signed(mut self) -> Self {
        self.signed = true;
        self
    }

    fn open(
        &self,
        http: &HttpClient,
        clock: Arc<dyn Clock>,
    ) -> Result<introspect::Introspection, ClientError> {
        introspect::Introspection::with_clock(
            http.clone(),
            &self.url,
            (&self.id, &self.secret),
            (self.ttl, clock),
        )
    }
}

impl std::fmt::Debug for Introspection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Introspection")
            .field("url", &self.url)
            .field("id", &self.id)
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}
