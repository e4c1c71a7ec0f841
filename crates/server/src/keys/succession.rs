//! How a signing key comes to be: made for later, or in the place of one that is revoked.
//!
//! Spec: RFC 7638 (kid)

use carnet_jose::{Algorithm, AnySigningKey};
use carnet_store::{AuditAction, Cut, KeyState, NewAudit, SigningKeyRow, Store};

use super::signers::unseal;
use crate::master_key::{MasterKeys, Purpose};
use crate::open_error::OpenError;

/// A key to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewKey {
    /// What it signs with.
    pub algorithm: Algorithm,
    /// Staged, or active when there is no other.
    pub state: KeyState,
    /// When it may sign.
    pub activates_at: i64,
}

/// Makes a key, seals it and stores it; answers its `kid`.
pub async fn stage(store: &Store, master: &MasterKeys, new: NewKey, now: i64) -> Result<String, OpenError> {
    let row = make(master, new, now).await?;
    store
        .add_signing_key(&row, now, &by_schedule(AuditAction::KeyCreate, &row.kid))
        .await?;
    Ok(row.kid)
}

/// Removes a key at once with every token that it signed; `false` when it is unknown or gone already.
///
/// If it is the one that signs, another does so from the same moment on: the staged one of its algorithm, or a new one. Where `master` is
/// not the server's, or not there, that is left to the server.
pub async fn revoke(
    store: &Store,
    (master, algorithms): (Option<&MasterKeys>, &[Algorithm]),
    kid: &str,
    cut: &Cut,
) -> Result<bool, OpenError> {
    let rows = store.signing_keys().await?;
    let signs = |row: &&SigningKeyRow| row.kid == kid && row.state == KeyState::Active;
    if let (Some(revoked), Some(master)) = (rows.iter().find(signs), master)
        && let Some(algorithm) = Algorithm::from_name(&revoked.algorithm)
        && algorithms.contains(&algorithm)
        // What we make under another master key than the server's it could never open.
        && unseal(revoked, master).is_ok()
    {
        let staged = |row: &&SigningKeyRow| {
            row.state == KeyState::Staged && row.algorithm == revoked.algorithm && unseal(row, master).is_ok()
        };
        let next = match rows.iter().find(staged) {
            Some(staged) => staged.clone(),
            None => {
                let new = NewKey {
                    algorithm,
                    state: KeyState::Active,
                    activates_at: cut.at,
                };
                make(master, new, cut.at).await?
            }
        };
        return Ok(store.replace_key(kid, &next, cut).await?);
    }
    Ok(store.revoke_key(kid, cut).await?)
}

async fn make(master: &MasterKeys, new: NewKey, now: i64) -> Result<SigningKeyRow, OpenError> {
    let broken = |error: &dyn std::fmt::Display| OpenError::Keys(error.to_string());
    // RSA takes a good part of a second: not on a thread that answers requests.
    let key = tokio::task::spawn_blocking(move || AnySigningKey::generate(new.algorithm));
    let key = key
        .await
        .map_err(|error| broken(&error))?
        .map_err(|error| broken(&error))?;
    let kid = key.thumbprint().map_err(|error| broken(&error))?;
    let public = key
        .verifying_key()
        .to_jwk()
        .map_err(|error| broken(&error))?
        .with_kid(&kid)
        .with_use_sig();
    let private = key.to_pkcs8_der().map_err(|error| broken(&error))?;
    let sealed = master
        .seal(Purpose::SigningKey, &kid, &private)
        .map_err(|error| broken(&error))?;
    Ok(SigningKeyRow {
        kid,
        algorithm: new.algorithm.name().to_owned(),
        state: new.state,
        public_jwk: serde_json::to_string(&public).map_err(|error| broken(&error))?,
        sealed: Some(sealed),
        master_key: master.current().to_owned(),
        created_at: now,
        published_at: now,
        activates_at: new.activates_at,
        activated_at: (new.state == KeyState::Active).then_some(now),
        retires_at: None,
        removes_at: None,
        removed_at: None,
        reason: None,
    })
}

pub(super) fn by_schedule(action: AuditAction, kid: &str) -> NewAudit {
    NewAudit::success("system", action, kid)
}
