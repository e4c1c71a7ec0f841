//! Signing keys: load, rotate, publish.
//!
//! Spec: RFC 7517 §5 (JWKS) · RFC 7638 (kid)

mod schedule;
mod signers;
mod succession;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use carnet_jose::{
    Algorithm, AnyVerifyingKey, Jwk, KeySet, KeySource, RotatingKeys, Signer, base64url, primitive,
};
use carnet_store::{AuditAction, KeyState, SigningKeyRow, Store, StoreError};

use crate::config::Config;
use crate::directory::Directory;
use crate::master_key::MasterKeys;
use crate::open_error::OpenError;
pub use schedule::{Schedule, Step};
pub use signers::unseal;
use signers::{Signers, signers_of};
use succession::by_schedule;
pub use succession::{NewKey, revoke, stage};

/// The signing keys of this server, as last read from the store.
pub struct Keys {
    current: ArcSwap<Snapshot>,
    source: Arc<RotatingKeys>,
    former: Arc<RotatingKeys>,
    algorithms: Vec<Algorithm>,
    schedule: Schedule,
}

/// What is signed with and what is published at one moment.
pub struct Snapshot {
    epoch: i64,
    rows: Vec<SigningKeyRow>,
    signers: BTreeMap<Algorithm, Signers>,
    /// The JWKS, ready to be sent.
    pub jwks: Bytes,
    /// Changes when the JWKS does.
    pub etag: String,
}

impl Snapshot {
    /// Whether no key is published. That holds for a moment at most, and nobody may be told of it: caches would keep it.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl Keys {
    /// Reads the keys; makes the first one of each algorithm.
    pub async fn open(
        config: &Config,
        directory: &Directory,
        store: &Store,
        master: &MasterKeys,
        now: i64,
    ) -> Result<Self, OpenError> {
        let skew = config.keys.clock_skew.millis();
        let schedule = Schedule {
            rotate_every: config.keys.rotate_every.millis(),
            stage_for: config.keys.jwks_max_age.millis().saturating_add(skew),
            retire_for: directory.longest_access_ttl().millis().saturating_add(skew),
        };
        let (snapshot, sets) = read(store, master).await?;
        let keys = Self {
            current: ArcSwap::from_pointee(snapshot),
            source: Arc::new(RotatingKeys::new(sets.published)),
            former: Arc::new(RotatingKeys::new(sets.former)),
            algorithms: config.keys.algorithms.clone(),
            schedule,
        };
        let kept = keys.keep(store, master, now).await;
        if !keys.ready() {
            kept?;
            return Err(OpenError::Config(format!("{NOT_OURS}: {CURE} (its tokens end)")));
        }
        // What cannot sign next is no reason not to start: the rounds that follow say what is wrong with it.
        Ok(keys)
    }

    /// What signs access tokens of this algorithm now.
    pub fn signer(&self, algorithm: Algorithm) -> Option<Arc<Signer>> {
        let current = self.current.load();
        current
            .signers
            .get(&algorithm)
            .map(|signers| signers.access_token.clone())
    }

    /// What signs ID tokens of this algorithm now.
    pub fn id_token_signer(&self, algorithm: Algorithm) -> Option<Arc<Signer>> {
        let current = self.current.load();
        current
            .signers
            .get(&algorithm)
            .map(|signers| signers.id_token.clone())
    }

    /// What signs logout tokens of this algorithm now.
    pub fn logout_token_signer(&self, algorithm: Algorithm) -> Option<Arc<Signer>> {
        let current = self.current.load();
        current
            .signers
            .get(&algorithm)
            .map(|signers| signers.logout_token.clone())
    }

    /// What signs the messages of the revocation feed now: with this algorithm, or the first that has an active key.
    pub fn revocations_signer(&self, preferred: Algorithm) -> Option<Arc<Signer>> {
        Some(self.signers_by(preferred)?.revocations)
    }

    /// What signs introspection answers now: with this algorithm, or the first that has an active key.
    pub fn introspection_signer(&self, preferred: Algorithm) -> Option<Arc<Signer>> {
        Some(self.signers_by(preferred)?.introspection)
    }

    fn signers_by(&self, preferred: Algorithm) -> Option<Signers> {
        let current = self.current.load();
        let mut algorithms = [&preferred].into_iter().chain(&self.algorithms);
        algorithms
            .find_map(|algorithm| current.signers.get(algorithm))
            .cloned()
    }

    /// What signs the bundle of services now: the first algorithm that has an active key.
    pub fn services_signer(&self) -> Option<Arc<Signer>> {
        let current = self.current.load();
        let mut signers = self
            .algorithms
            .iter()
            .filter_map(|name| current.signers.get(name));
        signers.next().map(|signers| signers.services.clone())
    }

    /// The published set, for our own verifier.
    pub fn source(&self) -> Arc<dyn KeySource> {
        self.source.clone()
    }

    /// The published set and what was published before, but for what was revoked: for tokens of ours that may be old.
    pub fn source_with_former(&self) -> Arc<dyn KeySource> {
        self.former.clone()
    }

    /// What is published.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Whether every configured algorithm can sign.
    pub fn ready(&self) -> bool {
        let current = self.current.load();
        self.algorithms
            .iter()
            .all(|algorithm| current.signers.contains_key(algorithm))
    }

    /// The times that rotation keeps.
    pub fn schedule(&self) -> Schedule {
        self.schedule
    }

    /// Reads what another process changed and does what is due. Cheap when there is nothing to do.
    pub async fn keep(&self, store: &Store, master: &MasterKeys, now: i64) -> Result<(), OpenError> {
        if store.settings_epoch().await? != self.current.load().epoch {
            self.reload(store, master).await?;
        }
        let (mut changed, mut broken) = (false, None);
        let snapshot = self.current.load_full();
        for algorithm in Algorithm::ALL {
            let wanted = self.algorithms.contains(algorithm);
            let keys: Vec<_> = snapshot
                .rows
                .iter()
                .filter(|row| row.algorithm == algorithm.name())
                .collect();
            for step in self.schedule.due(&keys, wanted, now) {
                // What fails for one key holds up none of the others.
                match self.perform(&step, *algorithm, (store, master), now).await {
                    Ok(()) => changed = true,
                    Err(error) => broken = Some(error),
                }
            }
        }
        if changed {
            self.reload(store, master).await?;
        }
        broken.map_or(Ok(()), Err)
    }

    async fn perform(
        &self,
        step: &Step,
        algorithm: Algorithm,
        (store, master): (&Store, &MasterKeys),
        now: i64,
    ) -> Result<(), OpenError> {
        let done = match step {
            Step::First | Step::Stage => {
                let (state, wait) = match step {
                    Step::First => (KeyState::Active, 0),
                    _ => (KeyState::Staged, self.schedule.stage_for),
                };
                let activates_at = now.saturating_add(wait);
                let new = NewKey {
                    algorithm,
                    state,
                    activates_at,
                };
                stage(store, master, new, now).await
            }
            Step::Promote(kid) => {
                // A key that this server cannot open must not take over from one that it can.
                if let Some(row) = self.current.load().rows.iter().find(|row| row.kid == *kid) {
                    unseal(row, master).map_err(|error| {
                        OpenError::Config(format!(
                            "{error}\nit was to sign next, and rotation waits for it: {CURE}"
                        ))
                    })?;
                }
                let removes_at = now.saturating_add(self.schedule.retire_for);
                store
                    .promote_key(kid, removes_at, now, &by_schedule(AuditAction::KeyPromote, kid))
                    .await
                    .map(|_| kid.clone())
                    .map_err(OpenError::from)
            }
            Step::Retire(kid) => {
                let removes_at = now.saturating_add(self.schedule.retire_for);
                store
                    .retire_key(kid, removes_at, now, &by_schedule(AuditAction::KeyRetire, kid))
                    .await
                    .map(|_| kid.clone())
                    .map_err(OpenError::from)
            }
            Step::Remove(kid) => store
                .remove_key(kid, now, &by_schedule(AuditAction::KeyRemove, kid))
                .await
                .map(|_| kid.clone())
                .map_err(OpenError::from),
        };
        match done {
            Ok(kid) => tracing::info!(%kid, algorithm = algorithm.name(), step = step.name(), "signing key"),
            // Another node was faster; its key is read in a moment.
            Err(OpenError::Store(StoreError::Conflict(_))) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn reload(&self, store: &Store, master: &MasterKeys) -> Result<(), OpenError> {
        let (snapshot, sets) = read(store, master).await?;
        // Published first: nobody may see a token before its key.
        self.source.replace(sets.published);
        self.former.replace(sets.former);
        self.current.store(Arc::new(snapshot));
        Ok(())
    }
}

/// What tokens are verified with.
struct Sets {
    published: KeySet,
    former: KeySet,
}

async fn read(store: &Store, master: &MasterKeys) -> Result<(Snapshot, Sets), OpenError> {
    let broken = |error: &dyn std::fmt::Display| OpenError::Keys(error.to_string());
    // The epoch is read first: a change that comes between the two reads is seen by the next round.
    let epoch = store.settings_epoch().await?;
    let rows = store.signing_keys().await?;
    let (gone, rows): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.state == KeyState::Removed);
    let mut signers = BTreeMap::new();
    let mut published = Vec::new();
    let mut keys = Vec::new();
    for row in &rows {
        published.push(Jwk::parse(&row.public_jwk).map_err(|error| broken(&error))?);
        keys.push(verifying(row)?);
        if row.state == KeyState::Active {
            match signers_of(row, master) {
                Ok((algorithm, both)) => {
                    signers.insert(algorithm, both);
                }
                // The rest of the set counts all the same: revocations above all. Without a signer the server is not ready.
                Err(error) => {
                    tracing::error!(%error, kid = %row.kid, "an active signing key cannot be opened; nothing is signed with it");
                }
            }
        }
    }
    let jwks =
        serde_json::to_vec(&serde_json::json!({ "keys": published })).map_err(|error| broken(&error))?;
    let etag = format!("\"{}\"", base64url::encode(&primitive::sha256(&jwks)));
    // Those that a revocation took out are none of ours any more; of the others the newest, so that the set stays small.
    let former = gone.iter().rev().filter(|row| row.reason.is_none()).take(FORMER);
    let former = former.map(verifying).chain(rows.iter().map(verifying));
    let former = former.collect::<Result<Vec<_>, _>>()?;
    let sets = Sets {
        published: KeySet::new(keys).map_err(|error| broken(&error))?,
        former: KeySet::new(former).map_err(|error| broken(&error))?,
    };
    Ok((
        Snapshot {
            epoch,
            rows,
            signers,
            jwks: jwks.into(),
            etag,
        },
        sets,
    ))
}

fn verifying(row: &SigningKeyRow) -> Result<(Option<String>, AnyVerifyingKey), OpenError> {
    let key = Jwk::parse(&row.public_jwk).and_then(|jwk| AnyVerifyingKey::from_jwk(&jwk));
    let key = key.map_err(|error| OpenError::Keys(error.to_string()))?;
    Ok((Some(row.kid.clone()), key))
}

/// How many keys that have left still verify.
const FORMER: usize = 32;

const NOT_OURS: &str =
    "an active signing key in the database is sealed under a master key that the file does not have";

const CURE: &str =
    "bring back the master key file that it was made with, or take it out with carnet key revoke KID";

impl Step {
    fn name(&self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Stage => "staged",
            Self::Promote(_) => "promoted",
            Self::Retire(_) => "retired",
            Self::Remove(_) => "removed",
        }
    }
}
