//! A signing key, opened: one signer for each type of token that it signs.
//!
//! Spec: RFC 8725 §3.11 (explicit typing)

use std::sync::Arc;

use carnet_jose::{Algorithm, AnySigningKey, Signer, TokenType};
use carnet_oauth::{introspection, logout_token, revocation, service_token};
use carnet_store::SigningKeyRow;

use crate::master_key::{MasterKeys, Purpose};
use crate::open_error::OpenError;

/// One key, for each type of token that it signs.
#[derive(Clone)]
pub(super) struct Signers {
    pub(super) access_token: Arc<Signer>,
    pub(super) id_token: Arc<Signer>,
    pub(super) logout_token: Arc<Signer>,
    pub(super) introspection: Arc<Signer>,
    pub(super) revocations: Arc<Signer>,
    pub(super) services: Arc<Signer>,
}

/// Opens the private key of a stored row.
pub fn unseal(row: &SigningKeyRow, master: &MasterKeys) -> Result<AnySigningKey, OpenError> {
    let broken = |error: &dyn std::fmt::Display| OpenError::Keys(format!("{}: {error}", row.kid));
    let algorithm = Algorithm::from_name(&row.algorithm)
        .ok_or_else(|| broken(&"an algorithm that this version does not know"))?;
    let sealed = row
        .sealed
        .as_deref()
        .ok_or_else(|| broken(&"has no private key any more"))?;
    let private = master
        .open(&row.master_key, Purpose::SigningKey, &row.kid, sealed)
        .map_err(|error| broken(&error))?;
    AnySigningKey::from_pkcs8_der(&private, algorithm).map_err(|error| broken(&error))
}

/// The signers of an active key, and its algorithm.
pub(super) fn signers_of(
    row: &SigningKeyRow,
    master: &MasterKeys,
) -> Result<(Algorithm, Signers), OpenError> {
    let signer = |token_type| {
        let signer = Signer::new(unseal(row, master)?, token_type, Some(row.kid.clone()));
        signer
            .map(Arc::new)
            .map_err(|error| OpenError::Keys(error.to_string()))
    };
    let signers = Signers {
        access_token: signer(TokenType::AccessToken)?,
        id_token: signer(TokenType::IdToken)?,
        logout_token: signer(TokenType::Other(logout_token::TYPE))?,
        introspection: signer(TokenType::Other(introspection::TYPE))?,
        revocations: signer(TokenType::Other(revocation::TYPE))?,
        services: signer(TokenType::Other(service_token::BUNDLE_TYPE))?,
    };
    Ok((signers.access_token.algorithm(), signers))
}
